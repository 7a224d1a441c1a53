"""HTTP of accounts and sign-in."""

from __future__ import annotations

from fastapi import APIRouter, Depends

from haechi.errors import NotPermitted
from haechi.identity.current import Current, CurrentSession, CurrentUser, FreshUser, is_fresh, stale
from haechi.identity.export import everything_of
from haechi.identity.origins import From
from haechi.identity.schemas import (
    ChallengeAnswer,
    ChangePasswordBody,
    ConfirmBody,
    ForgotBody,
    LoginBody,
    LoginCodeBody,
    RefreshBody,
    RegisterBody,
    ResetBody,
    SaidAnswer,
    SessionAnswer,
    TokensAnswer,
    UserAnswer,
    VerifyBody,
)
from haechi.identity.service import Identity
from haechi.identity.signing_in import Challenged, Credentials
from haechi.platform.answers import errors
from haechi.platform.house import Reading, TheHouse
from haechi.platform.limits import limited

router = APIRouter(prefix="/auth", tags=["auth"])
MAIL = "If the address can be used, a letter is on its way to it."


# ---- accounts

@router.post("/register", operation_id="register", summary="Make an account", status_code=202, responses=errors(403, 422, 429, 503),
             dependencies=[Depends(limited("register", 10, 3600, fail="closed"))])
async def register(body: RegisterBody, house: TheHouse) -> SaidAnswer:
    """Sends a letter with a link; the answer is the same whether the address is new or not."""
    if house.settings.registration == "closed":
        raise NotPermitted("Nobody can register here; the owner of this server adds people.", code="registration_closed")
    await house.part(Identity).accounts.register(body.email, body.password, body.language)
    return SaidAnswer(message=MAIL)


@router.post("/verify-email", operation_id="verify_email", summary="Show that the address is yours", status_code=204,
             responses=errors(422, 429, 503), dependencies=[Depends(limited("mailed", 30, 3600, fail="closed"))])
async def verify_email(body: VerifyBody, house: TheHouse) -> None:
    """The mailed token and the password of the registration."""
    await house.part(Identity).accounts.verify(body.token, body.password)


@router.post("/forgot-password", operation_id="forgot_password", summary="Ask for a new password", status_code=202,
             responses=errors(422, 429, 503), dependencies=[Depends(limited("forgot", 5, 3600, fail="closed"))])
async def forgot_password(body: ForgotBody, house: TheHouse) -> SaidAnswer:
    """Sends a letter if there is such an account; the answer is the same if not."""
    house.part(Identity).accounts.forgot(body.email, body.language)
    return SaidAnswer(message=MAIL)


@router.post("/reset-password", operation_id="reset_password", summary="Set a new password", status_code=204,
             responses=errors(422, 429, 503), dependencies=[Depends(limited("mailed", 30, 3600, fail="closed"))])
async def reset_password(body: ResetBody, house: TheHouse, origin: From) -> None:
    """With the mailed token. Every session ends; the second factor stays."""
    await house.part(Identity).accounts.reset(body.token, body.password, origin)


# ---- in and out

@router.post("/login", operation_id="login", summary="Sign in", responses=errors(401, 422, 429, 503),
             dependencies=[Depends(limited("login", 60, 300, fail="closed"))])
async def login(body: LoginBody, house: TheHouse, origin: From) -> TokensAnswer | ChallengeAnswer:
    """Exchange an e-mail address and a password for tokens, or for a challenge where the second factor is on."""
    made = await house.part(Identity).signing_in.with_password(Credentials(body.email, body.password, body.device_token), origin)
    return ChallengeAnswer(challenge=made.challenge) if isinstance(made, Challenged) else TokensAnswer.of(made)


@router.post("/login/2fa", operation_id="login_second_factor", summary="The second step", responses=errors(401, 422, 429, 503),
             dependencies=[Depends(limited("login", 60, 300, fail="closed"))])
async def login_2fa(body: LoginCodeBody, house: TheHouse, origin: From) -> TokensAnswer:
    """A challenge and a code (or a recovery code) for tokens."""
    return TokensAnswer.of(await house.part(Identity).signing_in.with_code(body.challenge, body.code, origin))


@router.post("/refresh", operation_id="refresh", summary="New tokens", responses=errors(401, 409, 422, 429),
             dependencies=[Depends(limited("refresh", 120, 300))])
async def refresh(body: RefreshBody, house: TheHouse, origin: From) -> TokensAnswer:
    """Exchange a refresh token, once. One that comes back later than ten seconds after its exchange ends the session."""
    return TokensAnswer.of(await house.part(Identity).sessions.refresh(body.refresh_token, origin))


@router.post("/confirm", operation_id="confirm", summary="Show that it is you", status_code=204, responses=errors(401, 422, 429),
             dependencies=[Depends(limited("confirm", 20, 300, fail="closed"))])
async def confirm(body: ConfirmBody, found: Current, house: TheHouse, origin: From) -> None:
    """A code (or, while the second factor is off, the password); good for five minutes of acts that ask for it."""
    await house.part(Identity).signing_in.confirm(found[0], found[1].id, body.proof, origin)


@router.post("/logout", operation_id="logout", summary="Sign out", status_code=204, responses=errors(401))
async def logout(found: Current, house: TheHouse) -> None:
    """End this session: its tokens stop working at once."""
    await house.part(Identity).sessions.end(found[0].id, found[1].id)


@router.post("/logout-all", operation_id="logout_all", summary="Sign out everywhere", status_code=204, responses=errors(401))
async def logout_all(user: CurrentUser, house: TheHouse) -> None:
    """End every session, this one too."""
    async with house.database.writing() as session:
        await house.part(Identity).sessions.end_all(session, user.id)


@router.get("/sessions", operation_id="sessions", summary="Where you are signed in", responses=errors(401))
async def sessions(user: CurrentUser, here: CurrentSession, house: TheHouse) -> list[SessionAnswer]:
    """Newest first."""
    return [SessionAnswer.of(row, here.id) for row in await house.part(Identity).sessions.of(user.id)]


@router.delete("/sessions/{id}", operation_id="end_session", summary="End a session", status_code=204,
               responses=errors(401, 404, 422))
async def end_session(id: str, user: CurrentUser, house: TheHouse) -> None:
    """Its tokens stop working at once."""
    await house.part(Identity).sessions.end(user.id, id)


# ---- oneself

@router.get("/me", operation_id="me", summary="Who am I", responses=errors(401))
async def me(user: CurrentUser) -> UserAnswer:
    """The person the access token belongs to."""
    return UserAnswer.of(user)


@router.post("/change-password", operation_id="change_password", summary="Another password", status_code=204,
             responses=errors(401, 403, 422, 429, 503), dependencies=[Depends(limited("confirm", 20, 300, fail="closed"))])
async def change_password(body: ChangePasswordBody, found: Current, house: TheHouse, origin: From) -> None:
    """The old and the new one, and with the second factor on a fresh code (POST /auth/confirm). All other sessions end."""
    identity, (user, session) = house.part(Identity), found
    if user.has_2fa and not is_fresh(user, session, house):
        raise stale()
    await identity.signing_in.with_old_password(user, body.old)
    await identity.accounts.change_password(user.id, session.id, body.new, origin)


@router.get("/export", operation_id="export", summary="Everything about me", responses=errors(401, 403))
async def export(user: FreshUser, session: Reading) -> dict[str, list[dict[str, object]]]:
    """Every row that is yours, table by table, without secrets; amounts as text, times as ISO 8601."""
    return await everything_of(session, user.id)


@router.delete("/me", operation_id="delete_me", summary="Delete my account", status_code=204, responses=errors(401, 403, 409))
async def delete_me(user: FreshUser, house: TheHouse, origin: From) -> None:
    """Everything that is yours is gone at once, sessions and keys too. Refused while a bot of yours runs."""
    await house.part(Identity).accounts.delete(user.id, origin)
