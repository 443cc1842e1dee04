"""What the pages share: theme, figures, state in the URL, the tray of jobs."""
