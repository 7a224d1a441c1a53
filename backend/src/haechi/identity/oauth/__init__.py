"""Signing in through Google and Kakao (OpenID Connect, code flow with PKCE). Start at `service`; `providers` says whom we believe."""
