//! Whole conversations in Russian, and by keys where the model does not know the language.

use super::desk::{Desk, run};
use crate::base::LanguageCode;
use crate::converse::*;

const MORE: &str = "Могу я помочь чем-нибудь ещё?";
const HELLO: &str = "Здравствуйте, компания «Северные ворота». Чем могу помочь?";
const BYE: &str = "Спасибо, что позвонили в компанию «Северные ворота». До свидания.";

fn playbook() -> Playbook {
    Playbook::shipped(LanguageCode::new("ru").unwrap()).unwrap()
}

fn talk(script: &str) {
    let script = script.replace("MORE", MORE).replace("HELLO", HELLO).replace("BYE", BYE);
    run(&mut Desk::with(playbook(), Settings::default()), &script);
}

#[test]
fn opening_hours_then_thanks_and_goodbye() {
    talk(
        "desk: HELLO
         caller: До скольки вы работаете?
         desk: Мы работаем с понедельника по пятницу с 8 до 18 часов, а в субботу с 9 до 13 часов. MORE
         expect: YesNo
         caller: Нет, спасибо.
         desk: BYE
         end: Goodbye",
    );
}

#[test]
fn address_in_other_words_and_yes_to_more() {
    talk(
        "desk: HELLO
         caller: Добрый день, подскажите, как к вам проехать?
         desk: Наш адрес: Портовая улица, дом 12, у северных ворот порта. MORE
         caller: Да.
         desk: Чем могу помочь?
         caller: Спасибо, до свидания.
         desk: BYE
         end: Goodbye",
    );
}

#[test]
fn tracking_asks_reads_back_and_offers_a_call_back() {
    talk(
        "desk: HELLO
         caller: Где моя посылка?
         desk: Назовите, пожалуйста, номер заказа.
         expect: Digits { min: 3, max: 12 }
         caller: Четыре семь два девять.
         desk: Заказ 4729. Верно?
         expect: YesNo
         caller: Да, всё верно.
         desk: Я записала заказ 4729. Его статус мне отсюда не виден. Попросить сотрудника перезвонить вам по этому заказу?
         caller: Да, пожалуйста.
         desk: Как вас зовут?
         expect: Text
         caller: Меня зовут Анна Иванова.
         desk: По какому номеру вам перезвонить?
         caller: девятьсот шестнадцать, сто двадцать три, сорок пять, шестьдесят семь
         desk: Ваш номер 9161234567. Верно?
         caller: Верно.
         desk: Спасибо. Сотрудник перезвонит вам по заказу 4729. MORE
         message: получить звонок по заказу | Анна Иванова | 9161234567 | - | order=4729
         caller: Нет, это всё.
         desk: BYE
         end: Goodbye",
    );
}

#[test]
fn a_number_is_corrected_and_joined_from_two_turns() {
    talk(
        "desk: HELLO
         caller: Номер моего заказа сорок семь
         desk: Да, продолжайте.
         caller: двадцать девять
         desk: Заказ 4729. Верно?
         caller: Нет, я имел в виду 4728.
         desk: Заказ 4728. Верно?
         caller: Да.
         desk: Я записала заказ 4728. Его статус мне отсюда не виден. Попросить сотрудника перезвонить вам по этому заказу?
         caller: Нет, не надо.
         desk: Хорошо. MORE",
    );
}

#[test]
fn cancelling_is_confirmed_and_left_as_a_message() {
    talk(
        "desk: HELLO
         caller: Я хотела бы отменить заказ 4729.
         desk: Вы хотите отменить заказ 4729. Верно?
         caller: Да.
         desk: Я записала, что вы отменяете заказ 4729. Наши сотрудники этим займутся. MORE
         message: отменить заказ | - | - | - | order=4729
         caller: Хочу подтвердить заказ.
         desk: Вы хотите подтвердить заказ 4729. Верно?
         caller: Нет, 5810.
         desk: Вы хотите подтвердить заказ 5810. Верно?
         caller: Ага.
         desk: Я записала, что вы подтверждаете заказ 5810. Наши сотрудники этим займутся. MORE
         message: подтвердить заказ | - | - | - | order=5810",
    );
}

#[test]
fn a_person_is_asked_for_and_a_message_is_taken() {
    talk(
        "desk: HELLO
         caller: Соедините меня с оператором.
         desk: Сейчас я не могу вас соединить, но сотрудник вам перезвонит. По какому вопросу вы звоните?
         caller: По счёту за ноябрь.
         desk: Как вас зовут?
         caller: Пётр.
         desk: По какому номеру вам перезвонить?
         caller: У меня нет номера.
         desk: Спасибо. Я всё записала, сотрудник вам перезвонит. MORE
         message: поговорить с сотрудником | Пётр | - | По счёту за ноябрь. |
         caller: Хочу оставить сообщение.
         desk: По какому номеру вам перезвонить?
         caller: Нет.
         desk: Спасибо. Что передать?
         caller: Привезите паллеты в понедельник к трём часам.
         desk: Передать ваше сообщение?
         caller: Да, передайте.
         desk: Спасибо. Я приняла сообщение, сотрудник вам перезвонит. MORE
         message: оставить сообщение | Пётр | - | Привезите паллеты в понедельник к трём часам. |",
    );
}

#[test]
fn help_repeat_misses_and_silence() {
    talk(
        "desk: HELLO
         caller: Что вы умеете?
         desk: Я могу сказать часы работы и адрес, записать номер заказа, отменить или подтвердить заказ и принять сообщение.
         caller: Повторите, пожалуйста.
         desk: Я могу сказать часы работы и адрес, записать номер заказа, отменить или подтвердить заказ и принять сообщение.
         caller: Фиолетовые драконы плавают зимой.
         desk: Извините, я не поняла.
         unclear
         desk: Извините, я не понимаю. Принять сообщение, чтобы вам перезвонили?
         caller: Нет.
         desk: Чем могу помочь?
         wait: 8
         desk: Вы ещё на линии?
         wait: 8
         desk: Я вас не слышу.
         wait: 8
         desk: Я вас по-прежнему не слышу и кладу трубку. Пожалуйста, перезвоните. До свидания.
         end: Silence",
    );
}

#[test]
fn keys_work_as_in_every_language() {
    talk(
        "desk: HELLO
         keys: 3
         desk: Назовите, пожалуйста, номер заказа.
         keys: 4729#
         desk: Заказ 4729. Верно?
         keys: 1
         desk: Я записала заказ 4729. Его статус мне отсюда не виден. Попросить сотрудника перезвонить вам по этому заказу?
         keys: 2
         desk: Хорошо. MORE",
    );
}

#[test]
fn where_the_model_does_not_know_the_language_a_call_is_held_by_keys() {
    let mut desk = Desk::with(playbook(), Settings::default());
    let conversation = Conversation::new(std::sync::Arc::new(playbook()), Settings::default());
    desk.conversation = conversation.by_keys();
    let keypad = "Вы можете пользоваться кнопками. Нажмите 1, чтобы узнать часы работы, 2 — адрес, 3 — чтобы узнать о заказе, 0 — чтобы мы вам перезвонили, 8 — чтобы оставить сообщение после сигнала.";
    let script = "desk: Здравствуйте, компания «Северные ворота». Сейчас я, к сожалению, не понимаю речь, но вы можете выбрать нужное кнопками телефона. KEYPAD
         wait: 8
         desk: KEYPAD
         keys: 0
         desk: По какому номеру вам перезвонить?
         keys: 5550123#
         desk: Ваш номер 5550123. Верно?
         keys: 1
         desk: Передать ваше сообщение?
         keys: 1
         desk: Спасибо. Я приняла сообщение, сотрудник вам перезвонит. MORE
         message: оставить сообщение | - | 5550123 | - |
         keys: 2
         desk: BYE
         end: Goodbye";
    let script = script.replace("KEYPAD", keypad).replace("MORE", MORE).replace("BYE", BYE);
    run(&mut desk, &script);
    assert_eq!(desk.ended, Some(EndCause::Goodbye));
}

#[test]
fn a_caller_who_turns_out_to_speak_russian_is_answered_in_russian() {
    let mut desk = Desk::new();
    desk.give(Input::Connected);
    assert!(desk.play()[0].starts_with("Hello"));
    desk.conversation.switch(std::sync::Arc::new(playbook()));
    desk.hear("Здравствуйте, где моя посылка?");
    assert_eq!(desk.play(), ["Назовите, пожалуйста, номер заказа."]);
    desk.conversation.switch(std::sync::Arc::new(Playbook::logistics()));
    desk.hear("What are your opening hours?");
    assert!(desk.play()[0].starts_with("We are open"));
}
