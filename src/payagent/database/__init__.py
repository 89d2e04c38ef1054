"""What the journal and the book of accounts share about the databases they are kept in."""
