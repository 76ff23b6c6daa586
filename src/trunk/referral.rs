//! Whom callers may have us call in their place (RFC 3515): nobody, the people whom the owner has named, or
//! also their neighbours.

/// `[inbound] refer`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Referrals {
    #[default]
    Refuse,
    People,
    /// Besides these, whoever is at the peer's own host under a name or a short number.
    SameHost,
}

/// Digits of the shortest number that leads out of a house.
const NUMBER_DIGITS: usize = 7;
/// Emergency numbers of Europe, America, Britain, Japan, Australia and others: a machine calls none.
const EMERGENCY: [&str; 12] =
    ["112", "911", "999", "110", "119", "118", "115", "113", "108", "100", "000", "111"];

/// Whether a user part is that of somebody within a house: a name or a short number, so that whatever costs
/// money is called by the rules of `[dial]` only.
pub fn is_within_house(user: Option<&str>) -> bool {
    let Some(user) = user.filter(|user| !user.is_empty()) else { return false };
    // An escape or a parameter could hide a number.
    let is_plain = user.chars().all(|c| c.is_ascii_alphanumeric() || "-_.".contains(c));
    let digits: String = user.chars().filter(char::is_ascii_digit).collect();
    let has_letter = user.chars().any(|c| c.is_ascii_alphabetic());
    is_plain
        && (has_letter
            || (1..NUMBER_DIGITS).contains(&digits.len()) && !EMERGENCY.contains(&digits.as_str()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_house_has_names_and_short_numbers_and_nothing_that_costs() {
        for (user, expected) in [
            ("anna", true),
            ("anna.weber", true),
            ("202", true),
            ("20-2", true),
            ("phone4930123456", true),
            ("112", false),
            ("1-1-2", false),
            ("911", false),
            ("4930123456", false),
            ("030123456", false),
            ("+4930", false),
            ("%2B4930", false),
            ("202;phone-context=x", false),
            ("*21*", false),
            ("-", false),
            ("", false),
        ] {
            assert_eq!(is_within_house(Some(user)), expected, "{user}");
        }
        assert!(!is_within_house(None));
    }
}
