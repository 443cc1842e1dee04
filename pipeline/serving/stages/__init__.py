"""The four stages of an answer as plain functions: retrieve, filter, score, order."""
