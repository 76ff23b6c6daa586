-- One row a call: written when it begins, and again when it has ended.
CREATE TABLE calls (
    -- Never given twice, so that what has an id of a call that was deleted finds none.
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    -- The start of the program, and the call's number since then.
    run INTEGER NOT NULL,
    call INTEGER NOT NULL,
    -- 0: up, 1: ended, 2: the program ended in the middle of it.
    state INTEGER NOT NULL,
    direction TEXT NOT NULL,
    way TEXT NOT NULL,
    peer TEXT NOT NULL,
    -- Of the peer what one number is known by, however it is written.
    number TEXT NOT NULL,
    sip_call_id TEXT NOT NULL,
    started_at_ms INTEGER NOT NULL,
    answered_at_ms INTEGER,
    ended_at_ms INTEGER,
    ended_by TEXT,
    cause TEXT,
    language TEXT,
    codec TEXT,
    trunk TEXT,
    turns INTEGER NOT NULL,
    turns_left_out INTEGER NOT NULL,
    -- JSON: what is only shown with the call.
    figures TEXT NOT NULL,
    UNIQUE (run, call)
);
CREATE INDEX calls_by_number ON calls (number);

CREATE TABLE turns (
    of_call INTEGER NOT NULL REFERENCES calls (id) ON DELETE CASCADE,
    number INTEGER NOT NULL,
    caller TEXT NOT NULL,
    reply TEXT NOT NULL,
    heard_at_ms INTEGER NOT NULL,
    gap_ms INTEGER,
    -- JSON: the parts of the gap, and what else was measured.
    times TEXT NOT NULL,
    interrupted INTEGER NOT NULL,
    PRIMARY KEY (of_call, number)
) WITHOUT ROWID;

CREATE TABLE messages (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    -- Null where the call is not known any more.
    of_call INTEGER REFERENCES calls (id) ON DELETE CASCADE,
    left_at_ms INTEGER NOT NULL,
    topic TEXT NOT NULL,
    name TEXT,
    number TEXT,
    -- As in calls.
    called_back_at TEXT,
    text TEXT,
    -- JSON: an object of texts.
    fields TEXT NOT NULL,
    read_at_ms INTEGER
);
CREATE INDEX messages_by_call ON messages (of_call);
CREATE INDEX messages_by_number ON messages (called_back_at);
CREATE INDEX messages_unread ON messages (id) WHERE read_at_ms IS NULL;

-- The words of each call, found by them: rowid is the call's id.
CREATE VIRTUAL TABLE words USING fts5 (
    peer, said, left_behind,
    content = '', contentless_delete = 1, tokenize = 'unicode61 remove_diacritics 2'
);

-- What is counted over all starts, also of calls that were deleted.
CREATE TABLE counters (name TEXT PRIMARY KEY, value INTEGER NOT NULL) WITHOUT ROWID;

-- Files of versions before that are in here and have not been deleted yet.
CREATE TABLE imported (file TEXT PRIMARY KEY) WITHOUT ROWID;
