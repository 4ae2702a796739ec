"""Bad inputs by kind, each with the command that meets it, the message that it must give, and the exit status."""
