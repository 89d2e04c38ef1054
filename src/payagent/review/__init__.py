"""What a reviewer files: diagrams, proofs and call traces, all read from the running table and the record."""
