-- The book of accounts on PostgreSQL, change 1. Amounts are integers, in hundredths of the currency's unit.

CREATE TABLE accounts (
    id text PRIMARY KEY,
    name text NOT NULL,
    matched_name text NOT NULL,     -- the name as normal_name() makes it
    birth_date date NOT NULL,
    language text NOT NULL,
    has_hsa boolean NOT NULL
);

CREATE INDEX accounts_by_name ON accounts (matched_name);

CREATE TABLE bills (
    number bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,     -- the lower, the older
    id text NOT NULL UNIQUE,
    account_id text NOT NULL REFERENCES accounts,
    description text NOT NULL,
    owed bigint NOT NULL CHECK (owed >= 0),
    currency text NOT NULL
);

CREATE INDEX bills_by_account ON bills (account_id);

-- Every payment a call began. Its row is its hold on the bill while `state` is 'held'; once over it holds no more.
CREATE TABLE payments (
    payment text PRIMARY KEY,
    bill_id text NOT NULL REFERENCES bills (id),
    state text NOT NULL CHECK (state IN ('held', 'released', 'declined', 'credited')),
    changed_at timestamptz NOT NULL,
    amount bigint,                  -- credited: what was paid
    surplus bigint,                 -- credited: the part of it that was not owed
    confirmation text
);

-- At most one payment holds a bill, whoever writes.
CREATE UNIQUE INDEX payments_one_hold ON payments (bill_id) WHERE state = 'held';
CREATE INDEX payments_by_bill ON payments (bill_id, state, changed_at);

-- Failed identity tries: `subject` is 'caller <number>' or 'account <id>'.
CREATE TABLE failed_tries (
    subject text NOT NULL,
    call_sid text NOT NULL,
    failed_at timestamptz NOT NULL
);

CREATE INDEX failed_tries_by_subject ON failed_tries (subject, failed_at);
