"""The console: an operator's pages in `serve`, there only when a credential is configured."""
