"""Jobs: commands in processes of their own, their progress, and how long they will take."""
