"""Several workspaces beside one another: listed, made, copied, renamed, deleted with undo, sent as one file."""
