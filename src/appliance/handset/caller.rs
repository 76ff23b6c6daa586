//! What of a caller's number or address can be said.

/// The least digits that are read as a number; fewer are an extension, and are read, too, but as one number.
const TELEPHONE: usize = 5;

/// As the voice gets it; `None`: whoever calls hides, or has a name that nobody can say.
pub fn spoken(peer: &str) -> Option<String> {
    let user = peer.split_once(':').map_or(peer, |(_, rest)| rest);
    let user = user.split(['@', ';']).next().unwrap_or_default();
    let user = user.replace("%2B", "+").replace("%2b", "+");
    if user.parse::<std::net::IpAddr>().is_ok() {
        return None;
    }
    let digits = user.chars().filter(char::is_ascii_digit).count();
    let is_number = user.chars().all(|c| c.is_ascii_digit() || "+-. ()".contains(c));
    match (is_number, digits) {
        (true, 1..) if digits < TELEPHONE => Some(user),
        (true, TELEPHONE..) => Some(format!("<digits>{user}</digits>")),
        _ => name(&user),
    }
}

/// A user part that is a name, with spaces where people write dots.
fn name(user: &str) -> Option<String> {
    let is_plain = |c: char| c.is_alphabetic() || ".-_".contains(c);
    let hides = ["anonymous", "unknown", "unavailable", "restricted", "browser"];
    let is_name =
        user.chars().all(is_plain) && user.chars().filter(|c| c.is_alphabetic()).count() > 1;
    (is_name && !hides.contains(&user.to_ascii_lowercase().as_str()))
        .then(|| user.replace(['.', '-', '_'], " "))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_caller_is_said_as_people_say_it() {
        for (peer, said) in [
            ("sip:+4930123456@trunk.example", Some("<digits>+4930123456</digits>")),
            ("sip:%2B4930123456@trunk.example;user=phone", Some("<digits>+4930123456</digits>")),
            ("+15550100", Some("<digits>+15550100</digits>")),
            ("sip:204@pbx", Some("204")),
            ("sip:anna.berg@192.0.2.5", Some("anna berg")),
            ("sip:anonymous@anonymous.invalid", None),
            ("sip:192.0.2.5", None),
            ("sip:x7f3a@192.0.2.5", None),
            ("browser", None),
            ("", None),
        ] {
            assert_eq!(spoken(peer).as_deref(), said, "{peer}");
        }
    }
}
