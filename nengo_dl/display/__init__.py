"""What a simulator shows: progress, reports, tables, how it prints itself."""
