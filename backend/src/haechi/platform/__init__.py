"""Technical parts that know nothing of trading: database, secrets, clock, logs, HTTP manners, pages."""
