//! Calls in two languages: chosen, found out by the model, or held by keys.

use super::*;
use crate::call::language::Ears;

fn codes() -> (LanguageCode, LanguageCode) {
    (LanguageCode::ENGLISH, LanguageCode::new("ru").unwrap())
}

fn talking(language: LanguageCode, ears: Ears) -> Desk {
    let (en, ru) = codes();
    let tongue = |code| Tongue { code, playbook: Arc::new(Playbook::shipped(code).unwrap()) };
    let settings = Settings { tongues: Tongues::new(tongue(en), [tongue(ru)]), ..settings() };
    let manner = Manner { ears, ..Manner::plain(language) };
    let mut desk = Desk::take_in(&settings, manner, Some(OFFER)).unwrap();
    desk.sip(sip::Event::Established { leg: LEG, answer: None });
    desk.run(4_000, false);
    desk
}

fn replies(desk: &Desk) -> Vec<String> {
    desk.call.record().turns().iter().map(|turn| turn.reply_text.reveal().clone()).collect()
}

#[test]
fn a_call_in_russian_is_heard_and_spoken_in_russian() {
    let (_, ru) = codes();
    let mut desk = talking(ru, Ears::Open);
    desk.says("Номер заказа сорок семь двадцать девять");
    let said = replies(&desk);
    assert!(said[0].starts_with("Здравствуйте"), "{said:?}");
    assert_eq!(said.last().map(String::as_str), Some("Заказ 4729. Верно?"));
    assert!(!desk.asked.is_empty() && desk.asked.iter().all(|asked| *asked == [ru]));
    assert!(desk.spoken.contains(&(ru, "Заказ четыре семь два девять.".to_owned())));
    assert_eq!(desk.call.record().language, Some(ru));
}

#[test]
fn the_first_turn_that_is_surely_russian_takes_the_call_over_and_is_answered() {
    let (en, ru) = codes();
    let mut desk = talking(en, Ears::Detecting(vec![en, ru]));
    desk.detected = Some((ru, 0.97));
    desk.says("Где моя посылка?");
    let said = replies(&desk);
    assert!(said[0].starts_with("Hello"), "{said:?}");
    assert_eq!(said[1], "Назовите, пожалуйста, номер заказа.");
    assert_eq!(desk.call.record().language, Some(ru));
    assert_eq!(desk.asked[0], [en, ru]);
    // A foreign word later changes nothing any more.
    desk.detected = Some((en, 0.99));
    desk.texts.clear();
    desk.says("четыре семь два девять");
    assert_eq!(desk.asked.last(), Some(&vec![ru]));
    assert_eq!(replies(&desk).last().map(String::as_str), Some("Заказ 4729. Верно?"));
}

#[test]
fn a_doubtful_turn_leaves_the_call_as_it_is() {
    let (en, ru) = codes();
    let mut desk = talking(en, Ears::Detecting(vec![en, ru]));
    desk.detected = Some((ru, 0.55));
    desk.says("What is your address?");
    assert!(replies(&desk)[1].starts_with("You find us at"));
    assert_eq!(desk.call.record().language, Some(en));
    assert_eq!(desk.asked.last(), Some(&vec![en, ru]));
}

#[test]
fn a_language_that_is_not_heard_is_held_by_keys_and_words_are_not_decoded() {
    let (_, ru) = codes();
    let mut desk = talking(ru, Ears::Closed);
    desk.says("Где моя посылка?");
    desk.input(Input::Media(MediaEvent::Digit {
        digit: '1',
        duration: Duration::from_millis(100),
    }));
    desk.run(2_000, false);
    assert!(desk.asked.is_empty());
    assert!(replies(&desk).iter().any(|said| said.starts_with("Мы работаем")));
    let said = replies(&desk);
    assert!(said[0].contains("кнопками"), "{said:?}");
}
