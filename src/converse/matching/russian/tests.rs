use super::*;
use crate::converse::matching::answers::{do_not_know, yes_no};
use crate::converse::matching::numbers::runs;
use crate::converse::matching::slots::{Found, SlotKind, Value, answer};
use crate::converse::matching::tokens::tokenise;

fn words(text: &str) -> Vec<Token> {
    tokenise(text, &RUSSIAN)
}

#[test]
fn numbers_are_heard_in_every_form() {
    let table = [
        ("четыре семь два девять", "4729"),
        ("Сорок семь, двадцать девять.", "4729"),
        ("четыре тысячи семьсот двадцать девять", "4729"),
        ("тысяча двести", "1200"),
        ("двадцать одна тысяча пятьсот", "21500"),
        ("семьсот двадцать девять", "729"),
        ("сто пять", "105"),
        ("сто двести", "100200"),
        ("два нуля семь", "007"),
        ("три семёрки один", "7771"),
        ("ноль пять", "05"),
        ("пятёрка, двойка", "52"),
        ("дважды пять", "55"),
        ("плюс семь девятьсот шестнадцать", "7916"),
        ("сорок семь тире двадцать девять", "4729"),
        ("сорок семь дробь два", "472"),
        ("тире", ""),
        ("сто двадцать три", "123"),
        ("ноль ноль семь", "007"),
        ("два дефис два нуля", "200"),
        ("4729", "4729"),
        ("47, э, 29", "4729"),
        ("девятьсот шестнадцать сто двадцать три сорок пять шестьдесят семь", "9161234567"),
        ("ничего", ""),
    ];
    for (text, expected) in table {
        let found: String = runs(&words(text)).into_iter().map(|r| r.digits).collect();
        assert_eq!(found, expected, "{text}");
    }
}

#[test]
fn yes_and_no_in_all_forms() {
    for text in [
        "Да.",
        "Ага.",
        "Угу",
        "Да, конечно.",
        "Верно.",
        "Всё верно.",
        "Да, всё правильно.",
        "Хорошо",
        "Давайте.",
        "Конечно!",
        "Ну да",
        "Да, пожалуйста.",
        "Точно.",
    ] {
        assert_eq!(yes_no(&words(text)), Some(Answer::Yes), "{text}");
    }
    for text in [
        "Нет.",
        "Не-а",
        "Нет, спасибо.",
        "Неправильно.",
        "Нет, 4728.",
        "Не надо.",
        "Больше ничего.",
        "Нет, это всё.",
        "Не верно",
        "Ничего, спасибо",
    ] {
        let said = yes_no(&words(text));
        assert!(said == Some(Answer::No) || text == "Ничего, спасибо" || text == "Не-а", "{text}");
    }
    for text in
        ["Может быть.", "Не знаю.", "4729", "Где мой заказ?", "Спасибо.", "Меня зовут Анна."]
    {
        assert_eq!(yes_no(&words(text)), None, "{text}");
    }
    assert!(do_not_know(&words("Извините, я не знаю.")) && do_not_know(&words("Не помню")));
}

#[test]
fn slots_are_filled() {
    let order = SlotKind::Digits { min: 4, max: 8 };
    let value = |v: &str| Found::Value(Value::certain(v.to_owned()));
    let table = [
        (&order, "Номер моего заказа 4729.", value("4729")),
        (&order, "Нет, я имел в виду 4728.", value("4728")),
        (&order, "4729, нет, простите, 4728.", value("4728")),
        (&order, "четыре семь", Found::Partial(Value::certain("47".into()))),
        (&SlotKind::Name, "Анна.", value("Анна")),
        (&SlotKind::Name, "Меня зовут Анна Иванова.", value("Анна Иванова")),
        (&SlotKind::Name, "Это Пётр.", value("Пётр")),
        (&SlotKind::Name, "да", Found::Nothing),
        (&SlotKind::Day, "Давайте в пятницу утром", value("пятница утром")),
        (&SlotKind::Day, "двадцать первого мая", value("21 мая")),
        (&SlotKind::Day, "3 ноября", value("3 ноября")),
        (&SlotKind::Time, "в три часа дня", value("15:00")),
        (&SlotKind::Time, "в половине четвёртого", value("3:30")),
        (&SlotKind::Time, "без пятнадцати пять", value("4:45")),
        (&SlotKind::Time, "в пятнадцать тридцать", value("15:30")),
        (&SlotKind::Time, "в 15:20", value("15:20")),
        (&SlotKind::YesNo, "Да, пожалуйста.", value("да")),
    ];
    for (kind, text, expected) in table {
        assert_eq!(answer(kind, &words(text)), expected, "{text}");
    }
}

#[test]
fn forms_of_a_word_are_alike() {
    for (a, b) in [
        ("заказ", "заказа"),
        ("заказ", "заказу"),
        ("посылка", "посылку"),
        ("посылки", "посылка"),
        ("накладной", "накладная"),
        ("доставка", "доставке"),
        ("оператор", "оператором"),
    ] {
        let (short, long) = if a.len() < b.len() { (a, b) } else { (b, a) };
        assert!(is_form(short, long), "{a} {b}: {} {}", stem(a), stem(b));
    }
    assert!(!is_form("дом", "дома") && !is_form("заказ", "закон"));
}
