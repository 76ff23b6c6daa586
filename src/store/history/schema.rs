//! The database's tables, and how one of before becomes one of now.
//!
//! `user_version` is the number of steps that were taken. A step is never changed once it was shipped: what is to be
//! otherwise is another step. Each is taken whole or not at all.

use std::fs::OpenOptions;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use rusqlite::{Connection, OpenFlags};

/// "ATTD": no other program's database is taken for ours.
const APPLICATION_ID: i32 = 0x4154_5444;

/// The steps from an empty file on.
const STEPS: [&str; 3] =
    [include_str!("schema/1.sql"), include_str!("schema/2.sql"), include_str!("schema/3.sql")];

/// Why a database is not used.
#[derive(Debug, thiserror::Error)]
pub enum SchemaError {
    #[error(transparent)]
    Sqlite(#[from] rusqlite::Error),
    #[error("it cannot be made")]
    Unwritable(#[from] std::io::Error),
    #[error("it is damaged: {0}")]
    Damaged(String),
    #[error("it is of a newer version of this program")]
    Newer,
    #[error("it is the database of another program")]
    Foreign,
}

impl SchemaError {
    /// What is in the file is of no use to us, whatever is done with disk and rights.
    pub fn is_damage(&self) -> bool {
        match self {
            Self::Damaged(_) => true,
            Self::Sqlite(error) => is_damage(error),
            Self::Unwritable(_) | Self::Newer | Self::Foreign => false,
        }
    }

    /// The same of a file that was ours before: whose it is does not change but by damage.
    pub fn is_damage_of_ours(&self) -> bool {
        self.is_damage() || matches!(self, Self::Newer | Self::Foreign)
    }
}

/// SQLite says that the file's content makes no sense.
pub fn is_damage(error: &rusqlite::Error) -> bool {
    let code = error.sqlite_error_code();
    let is_known = matches!(
        code,
        Some(rusqlite::ErrorCode::DatabaseCorrupt | rusqlite::ErrorCode::NotADatabase)
    );
    // Nonsense in the head of the file has no code of its own.
    is_known || error.to_string().contains("unsupported file format")
}

/// How much of a database is looked at before it is used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Look {
    /// Every page: once a start.
    Whole,
    /// Whose it is.
    Head,
}

/// Opens or makes the database, looks at it, and brings it to the present form.
pub fn open(path: &Path, look: Look) -> Result<Connection, SchemaError> {
    // SQLite gives the files beside it the same mode.
    OpenOptions::new().create(true).append(true).mode(0o600).open(path)?;
    let mut connection = Connection::open_with_flags(
        path,
        OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX,
    )?;
    check(&connection, look)?;
    settle(&connection)?;
    migrate(&mut connection)?;
    Ok(connection)
}

/// Looks at a database that nobody has opened; one that is empty is none.
pub fn check_copy(path: &Path) -> Result<(), SchemaError> {
    let connection = open_to_read(path)?;
    check(&connection, Look::Whole)?;
    if version(&connection)? == 0 {
        return Err(SchemaError::Foreign);
    }
    Ok(())
}

/// The step that brought campaigns.
const CAMPAIGNS: i64 = 3;

/// In a database that nobody has opened.
pub fn pause_campaigns(path: &Path) -> Result<(), SchemaError> {
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(path, flags)?;
    if version(&connection)? >= CAMPAIGNS {
        connection.execute("UPDATE campaigns SET state = 'paused' WHERE state = 'running'", [])?;
    }
    Ok(())
}

/// For reading only, beside the one that writes.
pub fn open_to_read(path: &Path) -> rusqlite::Result<Connection> {
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(path, flags)?;
    connection.busy_timeout(super::PATIENCE)?;
    Ok(connection)
}

fn settle(connection: &Connection) -> rusqlite::Result<()> {
    connection.busy_timeout(super::PATIENCE)?;
    connection.pragma_update(None, "journal_mode", "WAL")?;
    // Each commit is on the disk when it is told: a power cut takes none back.
    connection.pragma_update(None, "synchronous", "FULL")?;
    connection.pragma_update(None, "foreign_keys", true)?;
    // What is deleted on request is overwritten.
    connection.pragma_update(None, "secure_delete", true)?;
    connection.pragma_update(None, "journal_size_limit", super::WAL_BYTES)
}

/// A file that another program made, or a newer version of this one, is left as it is.
fn check(connection: &Connection, look: Look) -> Result<(), SchemaError> {
    let version = version(connection)?;
    let owner: i32 = connection.pragma_query_value(None, "application_id", |row| row.get(0))?;
    let sql = "SELECT EXISTS (SELECT 1 FROM sqlite_schema)";
    let is_empty = !connection.query_row(sql, [], |row| row.get::<_, bool>(0))?;
    match (owner, usize::try_from(version)) {
        (APPLICATION_ID, Ok(version)) if version > STEPS.len() => return Err(SchemaError::Newer),
        (APPLICATION_ID, Ok(_)) => (),
        // One that is just made has nothing in it.
        (0, Ok(0)) if is_empty => (),
        _ => return Err(SchemaError::Foreign),
    }
    if look == Look::Head {
        return Ok(());
    }
    let found: String = connection.pragma_query_value(None, "quick_check", |row| row.get(0))?;
    if found == "ok" { Ok(()) } else { Err(SchemaError::Damaged(found)) }
}

fn migrate(connection: &mut Connection) -> rusqlite::Result<()> {
    let taken = usize::try_from(version(connection)?).unwrap_or(0);
    for (number, step) in STEPS.iter().enumerate().skip(taken) {
        let transaction = connection.transaction()?;
        transaction.execute_batch(step)?;
        transaction.pragma_update(None, "application_id", APPLICATION_ID)?;
        transaction.pragma_update(None, "user_version", number as i64 + 1)?;
        transaction.commit()?;
    }
    Ok(())
}

fn version(connection: &Connection) -> rusqlite::Result<i64> {
    connection.pragma_query_value(None, "user_version", |row| row.get(0))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::history::tests::Folder;

    #[test]
    fn a_new_file_gets_every_step_once_and_is_the_owners_alone() {
        use std::os::unix::fs::PermissionsExt;
        let folder = Folder::new("schema");
        for _ in 0..2 {
            let connection = open(&folder.database(), Look::Whole).unwrap();
            assert_eq!(version(&connection).unwrap(), STEPS.len() as i64);
            connection
                .execute("INSERT INTO counters VALUES ('x', 1) ON CONFLICT DO NOTHING", [])
                .unwrap();
        }
        for ending in ["", "-wal", "-shm"] {
            let mut path = folder.database().into_os_string();
            path.push(ending);
            if let Ok(about) = std::fs::metadata(path) {
                assert_eq!(about.permissions().mode() & 0o777, 0o600, "{ending}");
            }
        }
    }

    #[test]
    fn what_is_not_ours_is_left_alone_and_what_is_damaged_is_known() {
        let folder = Folder::new("foreign");
        let path = folder.database();
        Connection::open(&path).unwrap().execute_batch("CREATE TABLE other (x)").unwrap();
        // Of many programs: neither a version nor a number.
        assert!(matches!(open(&path, Look::Head), Err(SchemaError::Foreign)));
        let tables = "SELECT count(*) FROM sqlite_schema";
        let count = Connection::open(&path).unwrap().query_row(tables, [], |row| row.get(0));
        assert_eq!(count, Ok(1), "it is as it was");
        Connection::open(&path).unwrap().pragma_update(None, "application_id", 7).unwrap();
        assert!(matches!(open(&path, Look::Whole), Err(SchemaError::Foreign)));
        std::fs::remove_file(&path).unwrap();
        drop(open(&path, Look::Whole).unwrap());
        Connection::open(&path).unwrap().pragma_update(None, "user_version", 99).unwrap();
        let newer = open(&path, Look::Whole).unwrap_err();
        assert!(matches!(newer, SchemaError::Newer) && !newer.is_damage());
        std::fs::write(&path, vec![b'x'; 4_096]).unwrap();
        assert!(open(&path, Look::Whole).unwrap_err().is_damage());
    }
}
