"""What commands share: options, the last line of JSON, errors, and the list of them all."""
