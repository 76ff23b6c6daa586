-- Numbers that are called one after the other.
CREATE TABLE campaigns (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    name TEXT NOT NULL,
    -- As each call is asked for; null: as the configuration says.
    playbook TEXT,
    trunk TEXT,
    on_machine TEXT,
    -- JSON: an object of texts.
    variables TEXT NOT NULL,
    -- running, paused, done or cancelled.
    state TEXT NOT NULL,
    -- Calls of one number at most, and how long it is left alone after one that reached nobody.
    attempts INTEGER NOT NULL,
    busy_retry_ms INTEGER NOT NULL,
    no_answer_retry_ms INTEGER NOT NULL,
    machine_retry_ms INTEGER NOT NULL,
    created_at_ms INTEGER NOT NULL,
    -- When a call of it ended last, or the owner wanted something.
    changed_at_ms INTEGER NOT NULL
);

CREATE TABLE campaign_numbers (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    of_campaign INTEGER NOT NULL REFERENCES campaigns (id) ON DELETE CASCADE,
    peer TEXT NOT NULL,
    -- As in calls.
    number TEXT NOT NULL,
    -- waiting, calling, or what it came to.
    state TEXT NOT NULL,
    -- Calls that were begun, each counted before it begins.
    attempts INTEGER NOT NULL DEFAULT 0,
    -- When it is called next, or again; null: not any more.
    next_at_ms INTEGER,
    -- The last call, as in calls.
    run INTEGER,
    call INTEGER,
    last_outcome TEXT,
    last_at_ms INTEGER,
    -- The program ended in the middle of a call of it.
    was_cut_off INTEGER NOT NULL DEFAULT 0,
    -- No call is wanted after the one that is up.
    is_last INTEGER NOT NULL DEFAULT 0,
    UNIQUE (of_campaign, number)
);
CREATE INDEX campaign_numbers_by_number ON campaign_numbers (number);
CREATE INDEX campaign_numbers_by_state ON campaign_numbers (of_campaign, state);
CREATE INDEX campaign_numbers_due ON campaign_numbers (next_at_ms, id) WHERE state = 'waiting';
CREATE INDEX campaign_numbers_up ON campaign_numbers (number) WHERE state = 'calling';

-- Numbers that no campaign calls. They outlive the deletion of all else of a number, which would have it called again.
CREATE TABLE do_not_call (number TEXT PRIMARY KEY, added_at_ms INTEGER NOT NULL) WITHOUT ROWID;
