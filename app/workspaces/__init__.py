"""Parts of the Workspaces page, and which workspace a visitor is in."""
