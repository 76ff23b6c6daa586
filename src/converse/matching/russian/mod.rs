//! Russian as callers speak it. `ё` is read as `е`, words are compared by their stems.

mod numbers;
mod when;

use super::answers::Answer;
use super::grammar::{Answers, Corrections, Grammar, Names, Words};
use super::tokens::Token;

pub static RUSSIAN: Grammar = Grammar {
    code: "ru",
    words: Words {
        fillers: &[
            "э",
            "ээ",
            "эээ",
            "эм",
            "мм",
            "ммм",
            "хм",
            "гм",
            "ну",
            "вот",
            "типа",
            "короче",
            "а",
        ],
        abbreviations: &["г.", "ул.", "д.", "кв.", "т.е.", "т.д.", "т.п.", "тел.", "руб.", "им."],
        expand,
        common: COMMON,
        dangling: DANGLING,
        thinking: THINKING,
        negations: &["не", "никогда"],
        is_form,
        stem,
        inflects_synonyms: true,
    },
    answers: Answers {
        yes: YES,
        no: NO,
        do_not_know: DO_NOT_KNOW,
        do_not_know_starts: &["я не знаю ", "не знаю ", "у меня нет ", "не помню "],
        openers: &["ой", "так", "и", "слушайте", "в", "общем"],
        backchannels: BACKCHANNELS,
        padding: &["пожалуйста", "просто", "же", "это", "очень"],
        excuses: &["извините", "простите", "ой", "нет", "пожалуйста", "к", "сожалению", "честно"],
        leading,
        spoken_yes: "да",
        spoken_no: "нет",
    },
    names: Names {
        openers: &[
            "да",
            "конечно",
            "хорошо",
            "ой",
            "здравствуйте",
            "привет",
            "нет",
            "извините",
            "так",
        ],
        introduced: introduced_name,
        stops: &["и", "звоню", "говорит", "беспокоит", "из", "у", "по"],
        tails: &["пожалуйста", "спасибо", "говорит", "беспокоит", "меня", "зовут"],
    },
    corrections: Corrections {
        marks: &[
            "нет",
            "имел",
            "имела",
            "извините",
            "простите",
            "точнее",
            "вернее",
            "ошибся",
            "ошиблась",
            "стоп",
        ],
        meant: &["имел", "имела", "точнее", "вернее", "ошибся", "ошиблась"],
        restarts: &["номер", "номера", "заказ", "сначала"],
        links: &["и", "потом", "дальше", "нет", "извините", "простите", "еще"],
    },
    number: numbers::part,
    number_link: "и",
    number_marks: &["тире", "дефис", "минус", "дробь", "пробел"],
    letter: |_| None,
    letter_links: &[&["как"]],
    day: when::day,
    time: when::time,
};

const COMMON: &str = "и в во на с со к ко у о об от до по за из для не но что как это то так же ли бы \
    я мне меня мой моя мое мои мы нам нас наш вы вам вас ваш ваша ваши он она оно они его ее их \
    хочу хотел хотела хотелось можно можете могу нужно надо есть был была было быть будет если тут \
    здесь там сейчас пожалуйста здравствуйте добрый день спасибо скажите подскажите узнать да очень \
    просто еще уже ну девушка алло бы какой какая какие когда где или тоже мною этот эта";
const DANGLING: &str = "и в во на с со к ко у о об от до по за из для не но что как или а если чтобы \
    мой моя мое мои мне меня ваш номер номера заказа зовут хочу хотел нужно надо потому который \
    которая тогда плюс дом улица";
const THINKING: &str = "подождите|погодите|минуту|минутку|секунду|секундочку|одну минуту|одну секунду|\
    сейчас|сейчас посмотрю|дайте подумать|дайте посмотреть|ну|так|значит|это самое|как сказать";
const YES: &str = "да|ага|угу|да да|конечно|да конечно|хорошо|верно|да верно|все верно|правильно|\
    да правильно|все правильно|точно|именно|так точно|согласен|согласна|давайте|ладно|подтверждаю|\
    разумеется|безусловно|именно так|так и есть|да так|хочу|да хочу|нужно|да нужно|можно|\
    да спасибо|окей|отлично|можете|передайте|да передайте|было бы хорошо|соедините";
const NO: &str = "нет|не|нет нет|нет спасибо|спасибо нет|неверно|не верно|неправильно|не правильно|\
    нет неверно|нет неправильно|не надо|нет не надо|не нужно|нет не нужно|не так|не то|ничего|\
    нет ничего|больше ничего|нет больше ничего|ни в коем случае|не хочу|не стоит|отказываюсь|\
    все|нет все|все спасибо|нет все спасибо|спасибо все|ошибка|не совсем|никогда";
const BACKCHANNELS: &str =
    "да|ага|угу|так|ясно|понятно|понял|поняла|хорошо|ладно|окей|ок|ой|о|м|ого";
const DO_NOT_KNOW: &str = "не знаю|я не знаю|не помню|я не помню|нет номера|у меня нет номера|\
    у меня его нет|у меня нет|понятия не имею|без понятия|не имею|забыл|забыла|потерял|потеряла|\
    не могу найти|затрудняюсь|не уверен|не уверена|номера нет";

/// A first word that decides, whatever follows: `нет, я имел в виду ...`.
fn leading(words: &[&str]) -> Option<Answer> {
    match words {
        ["нет", "проблем", ..] => Some(Answer::Yes),
        ["нет" | "неверно" | "неправильно", ..] => Some(Answer::No),
        ["не", "верно" | "правильно" | "надо" | "нужно" | "так" | "то" | "хочу", ..] => {
            Some(Answer::No)
        }
        ["да" | "верно" | "правильно" | "конечно" | "именно" | "точно", ..] => {
            Some(Answer::Yes)
        }
        ["все", "верно" | "правильно" | "так", ..] => Some(Answer::Yes),
        ["ладно" | "хорошо", "давайте" | "спасибо", ..] => {
            Some(Answer::Yes)
        }
        _ => None,
    }
}

/// The name after `меня зовут`, `мое имя`, `это`, `говорит`, and before nothing else.
fn introduced_name(tokens: &[Token]) -> Option<usize> {
    let word = |at: usize| tokens.get(at).map(|t| t.word.as_str());
    let named = |at: usize| {
        let next = tokens.get(at)?;
        let capital = next.written.chars().next().is_some_and(char::is_uppercase);
        (capital && !next.is_common()).then_some(at)
    };
    (0..tokens.len()).find_map(|at| match (word(at)?, word(at + 1)) {
        ("меня", Some("зовут")) | ("мое", Some("имя")) | ("имя", Some("мое")) => {
            Some(at + 2)
        }
        ("зовут", _) if at == 0 => Some(at + 1),
        ("это" | "говорит" | "беспокоит" | "фамилия", _) => named(at + 1),
        _ => None,
    })
}

/// One spelling and one form of small words that mean the same.
fn expand(word: &str) -> Vec<String> {
    let word = word.replace('ё', "е");
    let plain = match word.as_str() {
        "ага" | "угу" | "дада" => "да",
        "неа" | "нету" | "нетнет" => "нет",
        "щас" | "сейчас-то" => "сейчас",
        "здрасьте" | "здрасте" | "здраствуйте" | "здравствуй" => {
            "здравствуйте"
        }
        "спс" => "спасибо",
        "чо" | "че" | "чего" => "что",
        "оке" | "ок" => "окей",
        "данке" => "спасибо",
        _ => return vec![word],
    };
    vec![plain.to_owned()]
}

/// Endings that nouns, adjectives and verbs change, longest first.
const ENDINGS: [&str; 54] = [
    "иями", "ями", "ами", "иях", "ием", "ией", "ого", "его", "ому", "ему", "ыми", "ими", "ешь",
    "ете", "ите", "ают", "яют", "ает", "яет", "ала", "яла", "ила", "ели", "али", "или", "ов", "ев",
    "ей", "ой", "ий", "ый", "ая", "яя", "ое", "ее", "ые", "ие", "ую", "юю", "ом", "ем", "ам", "ям",
    "ах", "ях", "ет", "ут", "ют", "ат", "ить", "ать", "ию", "ия", "ии",
];
/// Letters that a stem keeps at least.
const STEM_CHARS: usize = 4;

/// The word without its ending; what would become too short stays whole.
fn stem(word: &str) -> &str {
    let long_enough = |stem: &&str| stem.chars().count() >= STEM_CHARS;
    let cut = |ending: &&str| word.strip_suffix(*ending).filter(long_enough);
    if let Some(stem) = ENDINGS.iter().filter_map(cut).min_by_key(|s| s.len()) {
        return stem;
    }
    word.strip_suffix(['а', 'я', 'о', 'е', 'у', 'ю', 'ы', 'и', 'ь', 'й'])
        .filter(long_enough)
        .unwrap_or(word)
}

/// `заказ` and `заказа`, `посылка` and `посылку`.
fn is_form(short: &str, long: &str) -> bool {
    let (a, b) = (stem(short), stem(long));
    a == b && a.chars().count() >= STEM_CHARS
}

#[cfg(test)]
mod tests;
