"""What is kept on disk: workspaces, stages published whole, locks, and files written whole or not at all."""
