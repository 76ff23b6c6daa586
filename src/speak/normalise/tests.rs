use super::*;

fn check(table: &[(&str, &str)]) {
    let mut wrong = Vec::new();
    for (text, expected) in table {
        let said = normalise(text, Language::English);
        if said != *expected {
            wrong.push(format!("{text:?}\n  said {said:?}\n  want {expected:?}"));
        }
    }
    assert!(wrong.is_empty(), "{} wrong:\n{}", wrong.len(), wrong.join("\n"));
}

#[test]
fn digits_are_read_one_by_one_in_groups() {
    check(&[
        ("<digits>4729</digits>", "four seven two nine"),
        ("Order <digits>4729</digits>.", "Order four seven two nine."),
        (
            "That is <digits>4729</digits>. Is that right?",
            "That is four seven two nine. Is that right?",
        ),
        ("<digits>472931</digits>, yes", "four seven two, nine three one, yes"),
        ("I have <digits>5550123</digits>", "I have five five five, zero one two three"),
        ("<digits>007</digits> and <digits>12</digits>", "zero zero seven and one two"),
        ("<digits>A12</digits>", "A, one two"),
        ("<digits>+4917012345</digits>", "plus four nine one, seven zero one, two three four five"),
        ("<digits></digits>", ""),
        ("<digits>47", "four seven"),
    ]);
}

#[test]
fn numbers_are_said_as_numbers_years_and_codes() {
    check(&[
        ("0", "zero"),
        ("I have 12 boxes.", "I have twelve boxes."),
        ("1,234 parcels", "one thousand two hundred thirty four parcels"),
        ("1,000,000", "one million"),
        ("3.5 tons", "three point five tons"),
        ("0.25", "zero point two five"),
        ("-5 degrees", "minus five degrees"),
        ("+5", "plus five"),
        ("007", "zero zero seven"),
        ("12345678901", "one two three, four five six, seven eight nine, zero one"),
        ("In 2026 we moved.", "In twenty twenty six we moved."),
        ("since 1998", "since nineteen ninety eight"),
        ("by 2005", "by two thousand five"),
        ("2026 parcels", "two thousand twenty six parcels"),
        ("order 4729", "order four seven two nine"),
        ("order number 4729.", "order number four seven two nine."),
        ("order 12", "order twelve"),
        ("extension 305", "extension three zero five"),
        ("#4729", "number four seven two nine"),
        ("# 5", "number five"),
        ("No. 5", "number five"),
        ("No. I said no.", "No. I said no."),
        ("A4729", "A, four seven two nine"),
        ("gate B12", "gate B, one two"),
        ("1st, 2nd and 3rd", "first, second and third"),
        ("the 21st", "the twenty first"),
        ("the 112th", "the one hundred twelfth"),
        ("1/2 or 3/4", "one half or three quarters"),
        ("5/8", "five slash eight"),
        ("open 24/7", "open twenty four seven"),
        ("9-17", "nine to seventeen"),
        ("5–10 days", "five to ten days"),
        (
            "99999999999999999999999",
            "nine nine nine, nine nine nine, nine nine nine, nine nine nine, nine nine nine, nine nine nine, nine nine nine, nine nine",
        ),
    ]);
}

#[test]
fn times_and_dates_are_said() {
    check(&[
        ("3:30 pm", "three thirty P M"),
        ("at 3:30pm.", "at three thirty P M."),
        ("8 am to 6 pm", "eight A M to six P M"),
        ("8am", "eight A M"),
        ("8 a.m. sharp", "eight A M sharp"),
        ("until 8 p.m.", "until eight P M."),
        ("3:05", "three oh five"),
        ("3:00", "three o'clock"),
        ("15:20", "fifteen twenty"),
        ("15:00", "fifteen hundred hours"),
        ("3 o'clock", "three o'clock"),
        ("9:00-17:30", "nine o'clock to seventeen thirty"),
        ("99:99", "99:99"),
        ("I am here", "I am here"),
        ("March 3", "March third"),
        ("March 3, 2026", "March third, twenty twenty six"),
        ("March 2026", "March twenty twenty six"),
        ("2026-11-20", "November twentieth, twenty twenty six"),
        ("11/20/2026", "November twentieth, twenty twenty six"),
        ("20/11/2026.", "November twentieth, twenty twenty six."),
        ("Nov. 20", "November twenty"),
        ("Mon. to Fri. 8-12", "Monday to Friday eight to twelve"),
    ]);
}

#[test]
fn money_units_and_percent_are_said() {
    check(&[
        ("$12.50", "twelve dollars and fifty cents"),
        ("$1", "one dollar"),
        ("$1.01", "one dollar and one cent"),
        ("$0.99", "ninety nine cents"),
        ("$5.00", "five dollars"),
        ("€3", "three euros"),
        ("3€.", "three euros."),
        ("£2.20", "two pounds and twenty pence"),
        ("¥500", "five hundred yen"),
        ("$1,200", "one thousand two hundred dollars"),
        ("$3 million", "three million"),
        ("$2.5", "two point five dollars"),
        ("50%", "fifty percent"),
        ("2.5%.", "two point five percent."),
        ("-3%", "minus three percent"),
        ("5 %", "five percent"),
        ("5kg", "five kilograms"),
        ("1 kg", "one kilogram"),
        ("20 km/h", "twenty kilometers per hour"),
        ("2.5 m", "two point five meters"),
        ("30 °C", "thirty degrees Celsius"),
        ("30°", "thirty degrees"),
        ("10 min walk", "ten minutes walk"),
        ("250ml", "two hundred fifty milliliters"),
        ("m is a letter", "m is a letter"),
    ]);
}

#[test]
fn abbreviations_and_capitals_are_said() {
    check(&[
        ("Mr. Brown and Mrs. Green", "mister Brown and missus Green"),
        ("Dr. Who", "doctor Who"),
        ("Main St. 5", "Main Street five"),
        ("in St. Louis", "in Saint Louis"),
        ("Bring e.g. a pen.", "Bring for example a pen."),
        ("pens, paper, etc.", "pens, paper, and so on."),
        ("i.e. today", "that is today"),
        ("Acme Inc. is here", "Acme incorporated is here"),
        ("5th Ave. is long", "fifth avenue is long"),
        ("dept. of sales", "department of sales"),
        ("black & white", "black and white"),
        ("AT&T", "A T and T"),
        ("R&D", "R and D"),
        ("the API", "the A P I"),
        ("two PCs", "two P C's"),
        ("U.S. mail", "U S mail"),
        ("the U.S.A team", "the U S A team"),
        ("DHL and UPS", "D H L and U P S"),
        ("HELP me", "help me"),
        ("NASA", "nasa"),
        ("OK.", "okay."),
        ("your PIN", "your pin"),
        ("I said STOP!", "I said stop!"),
        ("A plan", "A plan"),
        ("HTML", "H T M L"),
        ("1 + 1 = 2", "one plus one equals two"),
        ("yes - no", "yes , no"),
    ]);
}

#[test]
fn telephone_numbers_and_network_addresses_are_said() {
    check(&[
        ("555-123-4567", "five five five, one two three, four five six seven"),
        ("Call 555 0123 now", "Call five five five, zero one two three now"),
        ("+49 170 1234567", "plus four nine, one seven zero, one two three, four five six seven"),
        ("(555) 123-4567.", "five five five, one two three, four five six seven."),
        ("+15550100", "plus one five five, five zero one, zero zero"),
        ("anna@example.com", "anna at example dot com"),
        (
            "anna.smith_1@mail.example.org.",
            "anna dot smith underscore one at mail dot example dot org.",
        ),
        ("www.example.com", "W W W dot example dot com"),
        ("https://example.com/track", "example dot com slash track"),
        ("example.de", "example dot de"),
        ("my-shop24.com", "my dash shop two four dot com"),
        ("\"Hello,\" he said.", "\"Hello,\" he said."),
        ("(see page 5)", "(see page five)"),
        ("", ""),
        ("   ", ""),
        ("What?!", "What?!"),
        ("naïve café 漢字", "naïve café 漢字"),
    ]);
}

#[test]
fn other_languages_pass_through_but_for_digits() {
    let table = [
        ("Wir haben 12 Pakete.", "Wir haben 12 Pakete."),
        ("Nummer <digits>4729</digits>, richtig?", "Nummer 4 7 2 9, richtig?"),
        ("<digits>472931</digits>", "4 7 2, 9 3 1"),
    ];
    for (text, expected) in table {
        assert_eq!(normalise(text, Language::Other), expected, "{text}");
    }
}

#[test]
fn strange_text_never_fails() {
    let pieces = [
        "$",
        "€.",
        "1:",
        ":1",
        "-",
        "--",
        "1-",
        "/1",
        "1/",
        "@",
        "a@b",
        "<digits>",
        "</digits>",
        "9".repeat(40).as_str(),
        ".",
        "°C",
        "1,",
        "+",
        "#",
        "é",
        "漢",
        "1e9",
        "0x1F",
        "&",
        "&&",
        "A&",
        "1st1",
    ]
    .map(str::to_owned);
    for a in &pieces {
        for b in &pieces {
            for text in [format!("{a}{b}"), format!("{a} {b}"), format!("{b}{a}{b}")] {
                let _ = normalise(&text, Language::English);
                let _ = normalise(&text, Language::Other);
                let _ = normalise(&text, Language::Russian);
                let _ = crate::speak::phrases::phrases(&text, Language::Russian);
            }
        }
    }
}

#[test]
fn long_digit_strings_are_grouped() {
    let table = [
        ("4729", vec!["4729"]),
        ("47291", vec!["472", "91"]),
        ("472931", vec!["472", "931"]),
        ("5550123", vec!["555", "0123"]),
        ("4917012345", vec!["491", "701", "2345"]),
        ("", vec![""]),
    ];
    for (digits, expected) in table {
        assert_eq!(groups(digits), expected);
    }
}
