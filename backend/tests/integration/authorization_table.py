"""Who may do what: every operation of the API is in exactly one of these lists. A new route that is in none fails the build."""

from __future__ import annotations

PUBLIC = {  # nobody has to be signed in
    "register", "verify_email", "forgot_password", "reset_password", "login", "login_second_factor", "refresh", "health", "health_live", "health_ready",
    "grid_market", "grid_bot_market", "oauth_start", "oauth_callback", "oauth_finish", "metrics"}  # metrics: nothing of anybody, and only for admitted addresses
PERSON = {  # signed in; what is somebody's is only theirs
    "confirm", "logout", "logout_all", "sessions", "end_session", "me", "change_password", "two_factor_verify", "backtest_run", "backtest_results",
    "backtest_get", "backtest_delete", "backtest_trades", "backtest_equity", "backtest_report", "bot_start", "bot_stop", "bot_status", "bot_logs",
    "grid_bots", "grid_bot_create", "grid_bot_preview", "grid_bot_config", "grid_bot_configure", "grid_bot_orders", "grid_bot_start",
    "grid_bot_stop", "grid_bot_stats", "templates", "template", "template_use",
    "instances", "instance_create", "instances_summary", "instances_start_all", "instances_stop_all", "instance", "instance_update",
    "instance_delete", "instance_start", "instance_stop", "instance_stats", "instance_why", "instance_logs",
    "risk_settings", "risk_settings_change", "account_ledger", "account_ledger_csv", "account_ledger_check", "account_equity", "account_pnl",
    "order_submit", "order_close", "orders", "order_panic", "order", "order_cancel", "strategy_library", "strategy_validate", "chart_candles", "oauth_links", "api_status",
    "account_list", "account_open", "account_close", "account_isolation", "account_balance", "account_positions", "account_keys", "account_key_check"}
FRESH = {  # and has proved to be there within five minutes
    "delete_me", "export", "two_factor_setup", "two_factor_disable", "two_factor_recovery_codes", "oauth_link", "oauth_unlink",
    "account_key_save", "account_save_keys", "account_key_fix", "account_key_delete", "order_panic_off"}
ADMIN = {  # role admin, the second factor, an admitted address
    "admin_users", "admin_user", "users", "admin_bots", "kill_switch", "admin_audit", "admin_audit_verify", "admin_analytics", "admin_logs"}
FRESH_ADMIN = {  # and fresh
    "admin_suspend", "admin_activate", "admin_role", "admin_end_sessions", "admin_stop_bot", "admin_template_save", "admin_template_delete", "kill_switch_on", "kill_switch_off"}
ALL = [PUBLIC, PERSON, FRESH, ADMIN, FRESH_ADMIN]
NOT_IN_OPENAPI = {"/", "/docs", "/openapi.json"}  # pages: nothing of anybody
