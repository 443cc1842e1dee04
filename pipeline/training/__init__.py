"""Training: the stage that trains a model, every training that ended, and those that were cut off."""
