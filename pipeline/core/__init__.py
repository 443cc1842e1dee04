"""The ground: errors, names of columns, workspace, stages, locks; it knows nothing of clicks or vectors."""
