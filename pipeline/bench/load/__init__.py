"""The load generator: client processes that replay requests, and what they measured."""
