"""Who somebody is: users, passwords, sessions, tokens. Start at `service`; `current` is what other routers import."""
