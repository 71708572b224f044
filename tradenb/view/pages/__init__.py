"""HTML pages and fragments: the report, its tables, and what live runs look like."""
