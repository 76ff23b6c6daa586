//! The shipped desk with a key for a person: so a telephone without a voice can ask for one.

use super::folder::Folder;

/// Puts a caller through to the first person.
pub const PERSON: &str = "6";

/// The path of its playbook, as the section `[converse]` names it.
pub fn playbook(folder: &Folder) -> String {
    let shipped = include_str!("../../src/converse/playbook/logistics.toml");
    let keys = "[keys]\n";
    assert!(shipped.contains(keys));
    let keyed = shipped.replacen(keys, &format!("{keys}{PERSON} = \"person\"\n"), 1);
    folder.write("keyed.toml", keyed);
    format!("playbook = \"{}\"", folder.at("keyed.toml").display())
}
