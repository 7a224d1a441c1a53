"""Back-tests and what is learned from them: jobs, results, reports, the strategy library over HTTP."""
