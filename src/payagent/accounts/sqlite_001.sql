-- The book of accounts, version 1. Amounts are integers, in hundredths of the currency's unit.

CREATE TABLE IF NOT EXISTS accounts (
    id TEXT PRIMARY KEY,
    name TEXT NOT NULL,
    matched_name TEXT NOT NULL,     -- the name as normal_name() makes it
    birth_date TEXT NOT NULL,       -- ISO 8601
    language TEXT NOT NULL,
    has_hsa INTEGER NOT NULL        -- 0 or 1
);

CREATE INDEX IF NOT EXISTS accounts_by_name ON accounts (matched_name);

CREATE TABLE IF NOT EXISTS bills (
    number INTEGER PRIMARY KEY,     -- the lower, the older
    id TEXT NOT NULL UNIQUE,
    account_id TEXT NOT NULL REFERENCES accounts,
    description TEXT NOT NULL,
    owed INTEGER NOT NULL CHECK (owed >= 0 AND typeof(owed) = 'integer'),
    currency TEXT NOT NULL
);

CREATE INDEX IF NOT EXISTS bills_by_account ON bills (account_id);

-- Every payment a call began. Its row is its hold on the bill while `state` is 'held'; once over it holds no more.
CREATE TABLE IF NOT EXISTS payments (
    payment TEXT PRIMARY KEY,
    bill_id TEXT NOT NULL REFERENCES bills (id),
    state TEXT NOT NULL CHECK (state IN ('held', 'released', 'declined', 'credited')),
    changed_at TEXT NOT NULL,
    amount INTEGER,                 -- credited: what was paid
    surplus INTEGER,                -- credited: the part of it that was not owed
    confirmation TEXT
);

-- At most one payment holds a bill, whoever writes.
CREATE UNIQUE INDEX IF NOT EXISTS payments_one_hold ON payments (bill_id) WHERE state = 'held';
CREATE INDEX IF NOT EXISTS payments_by_bill ON payments (bill_id, state, changed_at);

-- Failed identity tries: `subject` is 'caller <number>' or 'account <id>'.
CREATE TABLE IF NOT EXISTS failed_tries (
    subject TEXT NOT NULL,
    call_sid TEXT NOT NULL,
    failed_at TEXT NOT NULL
);

CREATE INDEX IF NOT EXISTS failed_tries_by_subject ON failed_tries (subject, failed_at);
