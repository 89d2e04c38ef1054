-- The journal, change 3. Waits run in live calls only, and those are few: no index of all calls by their next wait, which
-- every step would have to rewrite.

DROP INDEX calls_due;
