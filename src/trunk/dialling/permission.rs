//! Which numbers may be called at all.

use super::number::Number;

/// Beginnings of numbers with their country codes, as digits.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Permission {
    /// What may be called. Empty: nothing.
    pub allow: Vec<String>,
    /// What may not be called in spite of that.
    pub deny: Vec<String>,
}

/// Why a number may not be called.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Forbidden {
    #[error("dialling out is off: dial.allow is empty")]
    Off,
    #[error("this number begins with nothing that dial.allow names")]
    NotAllowed,
    #[error("this number begins with something that dial.deny names")]
    Denied,
}

impl Permission {
    /// # Errors
    /// `Off` if no number may be called.
    pub fn is_on(&self) -> Result<(), Forbidden> {
        if self.allow.is_empty() { Err(Forbidden::Off) } else { Ok(()) }
    }

    /// # Errors
    /// What forbids it; a denial counts more than any permission.
    pub fn check(&self, number: &Number) -> Result<(), Forbidden> {
        self.is_on()?;
        let begins = |list: &[String]| list.iter().any(|p| number.digits().starts_with(p.as_str()));
        match (begins(&self.deny), begins(&self.allow)) {
            (true, _) => Err(Forbidden::Denied),
            (false, true) => Ok(()),
            (false, false) => Err(Forbidden::NotAllowed),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::NumberPlan;
    use super::*;

    #[test]
    fn a_number_is_called_if_it_is_allowed_and_not_denied() {
        let list = |prefixes: &[&str]| prefixes.iter().map(|p| (*p).to_owned()).collect();
        let permission = Permission { allow: list(&["49", "4412"]), deny: list(&["49900"]) };
        for (number, outcome) in [
            ("+4930123456", Ok(())),
            ("+441234567", Ok(())),
            ("+442234567", Err(Forbidden::NotAllowed)),
            ("+12125550100", Err(Forbidden::NotAllowed)),
            ("+49900123456", Err(Forbidden::Denied)),
            ("+4990123456", Ok(())),
        ] {
            let number = NumberPlan::default().normalise(number).unwrap();
            assert_eq!(permission.check(&number), outcome, "{}", number.reveal());
            assert_eq!(Permission::default().check(&number), Err(Forbidden::Off));
        }
    }
}
