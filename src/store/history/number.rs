//! What one number is known by, however it is written.

/// Digits alone for a number (`+49 30 1234`, `0049301234` and `sip:+49301234@host` are one), else the name
/// before the host, in small letters. Empty for nothing.
pub fn key(address: &str) -> String {
    let rest = ["sip:", "sips:", "tel:"].iter().find_map(|scheme| {
        let (head, rest) = address.split_at_checked(scheme.len())?;
        head.eq_ignore_ascii_case(scheme).then_some(rest)
    });
    let rest = rest.unwrap_or(address).trim();
    let user = rest.split(['@', ';']).next().unwrap_or_default();
    let is_number = user.chars().any(|c| c.is_ascii_digit())
        && user.chars().all(|c| c.is_ascii_digit() || " +-./()".contains(c));
    if !is_number {
        return user.to_lowercase();
    }
    let digits: String = user.chars().filter(char::is_ascii_digit).collect();
    match digits.strip_prefix("00") {
        Some(rest) if !user.contains('+') && !rest.is_empty() => rest.to_owned(),
        _ => digits,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_number_has_one_key() {
        for text in [
            "+49 30 1234",
            "0049301234",
            "sip:+49301234@gw.example",
            "tel:+49-30-1234",
            "SIP:49301234@x;user=phone",
        ] {
            assert_eq!(key(text), "49301234", "{text}");
        }
        assert_eq!(key("sip:Maria@example.net"), "maria");
        assert_eq!(key("maria"), "maria");
        assert_eq!(key("sip:a1@example.net"), "a1");
        assert_eq!(key(""), "");
    }
}
