"""The bugs that sabotage.py plants: what each does to the text of one file, which tests must notice, and what a user would suffer."""

from __future__ import annotations

from typing import NamedTuple


class Bug(NamedTuple):
    """old: stands exactly once in `file` (below src/haechi); tests: each of them must fail alone; more: further (file, old, new)."""

    name: str
    file: str
    old: str
    new: str
    tests: tuple[str, ...]
    harm: str
    more: tuple[tuple[str, str, str], ...] = ()


U = "tests/unit"
DOOR, HEARS, CHECK = f"{U}/trading/test_desk_door.py::", f"{U}/trading/test_desk_hears.py::", f"{U}/trading/test_desk_check.py::"
OVER = f"{U}/trading/test_desk_over.py::"
RESTS, BOT, BRACKETS = f"{U}/trading/test_desk_rests.py::", f"{U}/trading/test_desk_bot.py::", f"{U}/trading/test_manual_brackets.py::"
GATE, SCRIBE, LEDGER = f"{U}/trading/test_gate.py::", f"{U}/trading/test_scribe.py::", f"{U}/trading/test_ledger.py::"
LOOKING, PARTS = (f"{U}/exchanges/test_bitget_{name}.py::" for name in ("looking", "parts"))
VENUE, EVIDENCE = f"{U}/exchanges/test_bitget_on_the_venue.py::", f"{U}/exchanges/test_bitget_evidence.py::"
HOLDINGS, ORIGIN, CLOCK = f"{U}/core/test_holdings.py::", f"{U}/platform/test_origin.py::", f"{U}/platform/test_clock_ids_paging.py::"
APP = "tests/integration/test_app_"

SENDING = (
    Bug("a new client id for the second try", "trading/desk_door.py", "        self._settle(one, outcome)\n",
        "        if isinstance(outcome, Unknown):\n            again = msgspec.structs.replace(one.order, client_id=f\"{one.id}r\")\n"
        "            outcome = await self.desk.exchange.place(again)\n        self._settle(one, outcome)\n",
        (f"{DOOR}test_silence_is_no_answer_and_what_was_sent_is_not_sent_again",), "an order whose answer was lost is executed twice"),
    Bug("a time-out is a rejection", "trading/desk_door.py",
        "        except (Unreachable, ExchangeRefused, OSError, TimeoutError) as error:\n            outcome = Unknown(type(error).__name__)\n"
        "        except Exception as fault:  # an adapter's",
        "        except (Unreachable, ExchangeRefused, OSError, TimeoutError) as error:\n            outcome = Rejected(type(error).__name__)\n"
        "        except Exception as fault:  # an adapter's",
        (f"{DOOR}test_silence_is_no_answer_and_what_was_sent_is_not_sent_again",), "a position nobody knows of, without a stop"),
    Bug("the intent is committed after the order is sent", "trading/desk_door.py", "await self.desk.scribe.write(work)\n",
        "self.desk.later(work)\n",
        (f"{DOOR}test_the_intent_is_committed_when_the_order_leaves_and_no_transaction_waits_for_the_exchange",),
        "after a crash an order nobody has a record of"),
    Bug("the exchange is asked inside a transaction", "trading/desk_door.py", "            outcome = await self.desk.exchange.place(one.order, still=still)\n",
        "            async with self.desk.scribe.database.writing():\n                outcome = await self.desk.exchange.place(one.order, still=still)\n",
        (f"{DOOR}test_the_intent_is_committed_when_the_order_leaves_and_no_transaction_waits_for_the_exchange",),
        "one slow answer of the exchange stops everybody's trading"),
    Bug("an answer overrules what the stream has told", "trading/desk_door.py",
        "        if one.id not in desk.orders.working or one.filled > 0 or one.status == OPEN:\n            return\n", "",
        (f"{DOOR}test_what_a_stream_told_before_the_answer_stays",), "a filled order is taken for a rejected one"),
    Bug("client ids begin anew after a restart", "trading/desks.py", "int(number) if number.isdecimal() else 0", "0",
        (f"{DOOR}test_ids_go_on_after_a_restart",), "orders are refused as duplicates, or fills go to an old order"),
    Bug("one wish may be sent again after a restart", "bots/runner.py",
        "        return f\"{self.owner.bot_id}:{key(wish)}\"[:80] if key is not None else None\n", "        return None\n",
        (f"{BOT}test_an_entry_is_sent_once_for_its_bar_also_after_a_restart",), "a restart doubles the position"),
    Bug("the reduce-only flag is lost", "trading/working.py", "self.trigger, self.reduce_only)\n", "self.trigger, False)\n",
        (f"{DOOR}test_a_reducing_order_says_so_to_the_exchange",), "an exit that comes late opens the other side"),
    Bug("the reduce-only flag is not told to Bitget", "exchanges/bitget/requests.py", "\"YES\" if order.reduce_only else \"NO\"", "\"NO\"",
        (f"{U}/exchanges/test_bitget_rest_client.py::test_reduce_only_and_the_demo_switch_are_sent",), "an exit that comes late opens the other side"),
    Bug("entries leave without a database", "trading/desk_door.py",
        "            if not one.order.reduce_only:\n                refused[one.id] = Refused(\"journal\"",
        "            if False:\n                refused[one.id] = Refused(\"journal\"",
        (f"{DOOR}test_without_a_database_entries_wait_and_exits_leave_from_the_reserve",), "new risk that no restart knows of"),
    Bug("exits wait for the database", "trading/desk_door.py",
        "            if not one.order.reduce_only:\n                refused[one.id] = Refused(\"journal\"",
        "            if True:\n                refused[one.id] = Refused(\"journal\"",
        (f"{DOOR}test_without_a_database_entries_wait_and_exits_leave_from_the_reserve",), "a full disk keeps a losing position open"),
    Bug("sizes leave as floats", "exchanges/bitget/requests.py", "    return format(value, \"f\")\n", "    return str(float(value))\n",
        (f"{PARTS}test_a_size_never_leaves_as_an_exponent_or_a_float",), "small sizes are refused as 1e-06, or are not what was wished"),
    Bug("quantities are rounded instead of cut", "core/instrument.py",
        "(exact(quantity) / self.lot).to_integral_value(rounding=ROUND_FLOOR)", "(exact(quantity) / self.lot).to_integral_value(rounding=ROUND_HALF_UP)",
        (f"{U}/core/test_quantities_are_cut.py",), "orders larger than the money or the position"),
    Bug("the position mode is not looked at", "exchanges/bitget/terms.py", "        if terms.hedge or (wanted is not None", "        if (wanted is not None",
        (f"{VENUE}test_hedge_mode_is_left_when_flat_and_refused_when_not",), "in hedge mode an exit opens a second position",
        (("exchanges/bitget/terms.py",
          "            if terms.hedge:\n                refused = await self._one_way()\n                if refused is not None:\n"
          "                    return refused\n                terms = await self.read(symbol)\n        except", "        except"),)),
    Bug("asked again while the address is banned", "exchanges/bitget/rest.py", "in (403, 418, 429) or", "in (403, 429) or",
        (f"{U}/exchanges/test_bitget_bans.py::test_what_is_shut_out_rests_as_long_as_told",), "a ban of minutes becomes one of days"),
    Bug("exits share the request budget of entries", "exchanges/bitget/budget.py",
        "usable = self.size if urgent else max(self.size - self.size * RESERVED_PERCENT // 100, 1)", "usable = self.size",
        (f"{PARTS}test_the_eighth_entry_of_a_second_waits_though_exits_would_not",), "a busy minute holds up stops and exits"),
    Bug("exits are counted and limited like entries", "trading/gate.py",
        "judge(intent, view, OF_EXITS) if intent.reduces else self._judge_new_risk(owner, intent, view, now_ms)",
        "self._judge_new_risk(owner, intent, view, now_ms) or judge(intent, view, OF_EXITS)",
        (f"{GATE}test_exits_pass_when_killed_and_use_up_nothing",), "after many orders a position cannot be closed",
        (("core/risk.py", "    for rule in REDUCING if intent.reduces else RULES:\n", "    for rule in RULES:\n"),)),
)

EVIDENCE_BUGS = (
    Bug("an empty list of open orders is the end of them", "trading/desk_check.py", "            await self._look(one)\n",
        "            await self._ended(one, REJECTED, \"never_arrived\")\n",
        (f"{CHECK}test_an_order_on_no_list_is_looked_for_and_not_given_up",), "a second entry while the first one is filling"),
    Bug("an empty list of positions is being flat", "trading/desk_check.py", "if positions == mine else", "if positions in ({}, mine) else",
        (f"{CHECK}test_an_empty_list_of_positions_is_no_proof_of_being_flat",), "a wrong answer of the exchange goes unnoticed"),
    Bug("an order is sought among the open ones only", "exchanges/bitget/evidence.py", "for endpoint in (OPEN_ORDERS, ORDER_HISTORY):",
        "for endpoint in (OPEN_ORDERS,):", (f"{EVIDENCE}test_an_order_is_found_on_whichever_list_it_is",), "a filled order is taken for none"),
    Bug("a stop is sought among the resting ones only", "exchanges/bitget/evidence.py", "for endpoint in (OPEN_PLANS, PLAN_HISTORY):",
        "for endpoint in (OPEN_PLANS,):", (f"{LOOKING}test_a_plan_is_seen_as_the_list_says",), "a stop that closed the position is taken for lost"),
    Bug("what is not found at once never arrived", "exchanges/bitget/looking.py", "        if left > 0:\n", "        if left > LATEST_MS:\n",
        (f"{LOOKING}test_nowhere_is_a_conclusion_only_when_nothing_can_arrive_any_more",), "a late execution doubles the position"),
    Bug("an unknown order expires after two minutes", "trading/desk_check.py",
        "                if desk.clock.now_ms() - one.sent_ms > UNKNOWN_ALARM_MS:\n",
        "                if desk.clock.now_ms() - one.sent_ms > UNKNOWN_ALARM_MS:\n                    await self._ended(one, REJECTED, \"expired\")\n",
        (f"{CHECK}test_an_order_on_no_list_is_looked_for_and_not_given_up",), "what is executed later belongs to nobody"),
    Bug("new risk while an order is unknown", "trading/desk.py", "        if any(one.status == UNKNOWN for one in self.orders.working.values()):\n",
        "        if False:\n", (f"{DOOR}test_silence_is_no_answer_and_what_was_sent_is_not_sent_again",), "a bot buys again and again into a silence"),
    Bug("what a crash left on its way counts as open", "trading/working.py", "OPEN if row.status == OPEN else UNKNOWN", "OPEN",
        (f"{CHECK}test_what_a_crash_left_on_its_way_is_unknown",), "new risk is taken while nobody knows what is there"),
    Bug("a late fill is dropped", "trading/desk_books.py", "        owner = one.owner if one is not None else self.owner_of(fill.client_id)\n",
        "        if one is not None and one.status == REJECTED:\n            return\n"
        "        owner = one.owner if one is not None else self.owner_of(fill.client_id)\n",
        (f"{HEARS}test_a_fill_of_an_order_that_was_given_up_is_booked_for_its_owner",), "a position without a stop, and books that are wrong"),
    Bug("what filled of a cancelled order is dropped", "trading/desk_books.py", "        owner = one.owner if one is not None else self.owner_of(fill.client_id)\n",
        "        if one is not None and one.status == CANCELED:\n            return\n"
        "        owner = one.owner if one is not None else self.owner_of(fill.client_id)\n",
        (f"{HEARS}test_what_filled_while_it_was_being_cancelled_is_booked",), "a part of a position that nobody knows of"),
    Bug("a cancelled order is over before its fills are shown", "trading/desk_check.py",
        "        if found.filled > one.filled or one.id not in desk.orders.working:\n", "        if one.id not in desk.orders.working:\n",
        (f"{CHECK}test_what_was_canceled_in_part_is_over_only_with_all_its_fills",), "the bot takes a part of its position for none"),
    Bug("fills are told apart by their order", "trading/desk_books.py", "self._booked_before(fill.trade_id, fill.time_ms",
        "self._booked_before(fill.client_id, fill.time_ms", (f"{HEARS}test_an_order_that_fills_in_pieces_has_them_all",),
        "of an order filled in pieces only the first is booked"),
    Bug("funding is booked as often as it is told", "trading/desk_books.py",
        "        if await self._booked_before(name, event.time_ms):\n            return\n        pieces", "        pieces",
        (f"{HEARS}test_funding_is_booked_once_and_shared_by_those_who_hold",), "the wallet in the books is not the wallet"),
    Bug("reconciled at the start only", "trading/desk_check.py", "            await self._pause()\n            try:\n",
        "            await asyncio.Event().wait()\n            try:\n", (f"{CHECK}test_it_goes_on_for_ever_and_sooner_when_there_is_a_doubt",),
        "a fill the stream lost is never found"),
    Bug("ready before the books were compared", "trading/desk_check.py", "            await self._events(deep=deep)\n",
        "            self.desk.ready = True\n            await self._events(deep=deep)\n",
        (f"{CHECK}test_nothing_leaves_before_the_first_whole_round",), "after a restart orders are sent on yesterday's position"),
    Bug("asked first, listened afterwards", "trading/desk.py", "            self.follow(symbol)\n        await self.check.begin()\n",
        "            pass\n        await self.check.begin()\n", (f"{CHECK}test_it_listens_before_it_asks",), "a fill of that moment is missed, and the bot acts on yesterday's position"),
    Bug("books that differ are ready", "trading/desk_check.py", "            self.desk.ready = self.desk.ready or self._differed is None or bool(self.desk.mismatch)\n",
        "            self.desk.ready = True\n", (f"{CHECK}test_books_that_differ_at_the_start_are_looked_at_again_before_anybody_works",),
        "after a restart orders are sent on a position that is not there"),
    Bug("a difference of the books is only logged", "trading/desk_check.py", "        self.desk.mismatch = differs\n", "",
        (f"{CHECK}test_a_difference_that_stays_stops_new_risk_and_rings_until_it_is_gone",), "new risk on books that are known to be wrong"),
    Bug("a beating heart is a good stream", "trading/desk.py", "        blind = self.exchange.blind()\n", "        blind = \"\"\n",
        (f"{DOOR}test_no_new_risk_while_there_is_a_doubt",), "entries while no fill is heard"),
    Bug("the adapter is never blind without its stream", "exchanges/bitget/adapter.py", "        if not self.private.ready:\n", "        if False:\n",
        (f"{LOOKING}test_blind_without_a_clock_or_a_stream",), "entries while no fill is heard"),
    Bug("a fill waits for a listener that is behind", "exchanges/bitget/ears.py", "        while isinstance(event, Bar | Price) and len(",
        "        while len(", (f"{U}/exchanges/test_bitget_ears.py::test_a_fill_is_told_though_a_thousand_bars_wait_and_who_hears_them_may_act",),
        "after a minute without a database the bot and its exchange wait for each other for ever"),
    Bug("an order of somebody else is cancelled", "trading/desk_check.py", "        desk.orders.add(one)\n        row =",
        "        desk.orders.add(one)\n        await desk.exchange.cancel(order.client_id)\n        row =",
        (f"{CHECK}test_an_order_of_somebody_else_is_noted_and_never_touched",), "the stop a person has set by hand disappears"),
)

PROTECTING = (
    Bug("the stop is not resized", "trading/working.py", "mine.reduce_only, self.left) == (", "mine.reduce_only, ticket.quantity) == (",
        (f"{BOT}test_the_stop_rests_at_the_exchange_right_after_the_fill_and_not_before",
         f"{BOT}test_a_step_makes_the_stop_larger_and_a_target_smaller"), "a part of the position has no stop"),
    Bug("the old stop goes before the new one is there", "trading/desk_rests.py", "        due = [ticket for ticket in missing.values() if",
        "        for one in wrong:\n            await desk.door.cancel(one)\n        due = [ticket for ticket in missing.values() if",
        (f"{RESTS}test_the_new_one_is_there_before_the_old_one_goes",), "moments without a stop; for good when the new one is refused"),
    Bug("the old stop goes though the new one was refused", "trading/desk_rests.py",
        "if one.id in desk.orders.working and not (one.role in kept and one.order.reduce_only) and", "if one.id in desk.orders.working and",
        (f"{RESTS}test_the_old_stop_stays_when_the_new_one_is_refused",), "no stop at all"),
    Bug("stops are cancelled when the process ends", "trading/desk.py", "        self.closed = True\n",
        "        for one in list(self.orders.working.values()):\n            await self.door.cancel(one)\n        self.closed = True\n",
        (f"{BOT}test_the_end_of_the_process_leaves_the_stop", f"{HEARS}test_a_closed_desk_hears_nothing_and_leaves_what_rests"),
        "no stop during every restart"),
    Bug("the stop is kept in memory only", "bots/runner.py", "if role != ENTRY or self._entry_there(ticket)}",
        "if ticket.kind != \"stop\" and (role != ENTRY or self._entry_there(ticket))}",
        (f"{BOT}test_the_stop_rests_at_the_exchange_right_after_the_fill_and_not_before",), "no stop when the process or its network is down"),
    Bug("the stop is sent before the fill is known", "bots/runner.py", "        wanted = self.mind.resting()\n",
        "        wanted = self.mind.resting()\n        if self.desk.orders.of(self.owner.bot_id) and \"stop\" not in wanted:\n"
        "            wanted[\"stop\"] = Wanted(\"stop\", -1, 1000, \"stop\", trigger=580_000, reduce_only=True)\n",
        (f"{BOT}test_the_stop_rests_at_the_exchange_right_after_the_fill_and_not_before",), "a stop for what is not held: refused, or a short position",
        (("core/risk.py", "    return None if intent.quantity <= held else Refused(\"reduces_at_most\"",
          "    return None if True else Refused(\"reduces_at_most\""),)),
    Bug("protected is what was ordered, not what filled", "trading/manual.py", "guard.count(one.id, one.filled)", "guard.count(one.id, one.order.quantity)",
        (f"{BRACKETS}test_they_are_as_large_as_what_filled_and_the_new_one_is_there_before_the_old_one_goes",), "a stop larger than the position"),
    Bug("refused orders are sent again without a pause", "trading/desk_rests.py",
        "        backing.next_ms = desk.clock.now_ms() + steps[min(backing.tries, len(steps) - 1)]\n", "        backing.next_ms = 0\n",
        (f"{RESTS}test_a_refused_order_is_tried_again_later_each_time",), "a storm of orders until the exchange shuts us out"),
    Bug("a stop the market has passed is only tried again", "trading/desk_rests.py",
        "refused.reason in THROUGH or tries >= len(STOP_BACK_OFF_MS)", "False",
        (f"{RESTS}test_a_stop_that_the_market_has_passed_is_an_exit_at_once",), "a falling market and no exit"),
    Bug("a stop nobody answers for is believed", "trading/desk_rests.py", "        return one.status == UNKNOWN and one.order.reduce_only and",
        "        return False and", (f"{RESTS}test_a_stop_nobody_answers_for_is_placed_again_after_two_seconds",), "no stop, and nobody notices"),
    Bug("a second entry while the first may be there", "trading/desk_rests.py", "(ticket is not None and self._may_be_there(one))", "False",
        (f"{RESTS}test_what_adds_risk_gets_no_second_one_while_the_first_may_be_there",), "a grid's line is bought twice",
        (("trading/desk.py", "        if any(one.status == UNKNOWN for one in self.orders.working.values()):\n", "        if False:\n"),)),
    Bug("the watcher believes the books", "trading/desk_watch.py", "            if shown is not None:\n", "            if False:\n",
        (f"{RESTS}test_a_stop_that_is_only_in_our_books_is_none",), "a stop that was removed at the exchange is not missed"),
    Bug("the watcher never rings", "trading/desk_watch.py", "        if now - since >= NAKED_MS:\n", "        if False:\n",
        (f"{RESTS}test_a_position_without_a_stop_rings_after_three_seconds_and_its_bot_is_poked",), "nobody is told of a position without a stop"),
    Bug("an exit is sent once only", "bots/runner.py", "        if self.exiting and held:\n", "        if False and held:\n",
        (f"{BOT}test_an_exit_is_sent_until_nothing_is_held",), "one lost request and the position stays open"),
    Bug("nobody repairs what two exits closed too much", "trading/desk_check.py", "            await self.desk.over.take_back(agreed)\n", "",
        (f"{OVER}test_it_is_taken_back_after_the_exchange_has_shown_it",), "a position on the other side, without a stop"),
    Bug("a late fill is taken for a second exit", "trading/desk_over.py", "            if symbol not in agreed or any(", "            if any(",
        (f"{OVER}test_a_fill_that_is_only_late_is_no_reason",), "an order out of nothing, because a fill was told late"),
    Bug("what was closed too much is forgotten by a restart", "trading/desks.py", "        await desk.over.restore(session)\n", "",
        (f"{OVER}test_a_crash_before_it_was_taken_back_changes_nothing",), "a position on the other side, without a stop"),
    Bug("missed entries are acted on after a restart", "bots/mind.py",
        "            self.engine.forget_entry()\n        return [wish for wish in wishes if wish.reduce_only]\n", "            pass\n        return wishes\n",
        (f"{U}/bots/test_mind_is_saved_and_restored.py::test_a_missed_bars_entry_is_dropped_and_its_exit_wished",), "yesterday's signal is bought at today's price"),
    Bug("a strategy speaks though bars are missing", "bots/series.py", "        self.stale = bool(self.next_ms) and bar.ts > self.next_ms\n",
        "        self.stale = False\n",
        (f"{U}/bots/test_signals_are_shared.py::test_a_missing_bar_silences_until_the_bars_are_fetched_again",), "signals of a market that never was"),
)

BOOKS = (
    Bug("the mind is saved before the booking", "trading/desk_books.py",
        "        self._book(fill, pieces, order_id=one.id if one else fill.client_id[:48], one=one)\n", "",
        (f"{BOT}test_what_a_mind_knows_is_never_saved_before_the_books_have_it",), "after a crash the bot and its account disagree",
        (("trading/desk_books.py", "            await self._hand(piece.owner, part, role)\n",
          "            await self._hand(piece.owner, part, role)\n"
          "        self._book(fill, pieces, order_id=one.id if one else fill.client_id[:48], one=one)\n"),)),
    Bug("the netting book is not closed", "core/holdings.py", "        if ends:\n", "        if False:\n",
        (f"{HOLDINGS}test_parts_sum_to_the_position_and_money_to_the_wallet",), "profits of bots do not add up to the account's"),
    Bug("all funding is the first owner's", "core/holdings.py", "split(amount, weights) if sum(weights.values()) else",
        "{min(weights): amount} if sum(weights.values()) else", (f"{HOLDINGS}test_funding_is_shared_by_quantity_and_the_remainder_is_the_largests",),
        "one bot pays for all"),
    Bug("what is closed by hand is nobody's loss", "core/holdings.py",
        "        changes = self._by_external(event.symbol, signed) if owner == EXTERNAL else {owner: signed}\n        return self._traded(event.symbol, changes, event.price, units(event.realized",
        "        changes = {owner: signed}\n        return self._traded(event.symbol, changes, event.price, units(event.realized",
        (f"{HOLDINGS}test_what_is_closed_by_hand_at_the_exchange_is_taken_from_those_who_hold",), "a bot protects and sells what is gone"),
    Bug("a booking need not sum to zero", "trading/posting.py", "        raise Unbalanced(", "        print(",
        (f"{LEDGER}test_what_does_not_sum_to_zero_is_not_booked",), "money appears in the books"),
    Bug("today's loss is never reset", "trading/desk.py", "        if now // DAY_MS != self.day:\n", "        if False:\n",
        (f"{HEARS}test_a_loss_is_of_its_day",), "one bad day stops trading for ever"),
    Bug("times without a zone", "platform/clock.py", "datetime.fromtimestamp(ms // 1000, tz=UTC)", "datetime.fromtimestamp(ms // 1000)",
        (f"{CLOCK}test_the_system_clock_is_utc",), "days, sessions and funding shift with the server's zone"),
)

RIGHTS = (
    Bug("the lease does not fence", "trading/lease.py", "        if not self.epoch or found != self.epoch:\n", "        if not self.epoch:\n",
        (f"{SCRIBE}test_a_process_without_the_lease_writes_nothing",
         f"{DOOR}test_a_process_that_was_replaced_writes_nothing_and_so_sends_nothing"), "two processes trade one account"),
    Bug("the right to trade is not looked at after the commit", "trading/desk_door.py", "        if scope or desk.office.leads() or (one",
        "        if scope or True or (one", (f"{DOOR}test_who_lost_the_right_to_trade_during_the_commit_sends_nothing",), "two processes trade one account"),
    Bug("what waits for the budget is not asked again", "exchanges/bitget/rest.py", "        if still is not None and not still():\n", "        if False:\n",
        (f"{U}/exchanges/test_bitget_lost_answers.py::test_what_waited_for_the_budget_is_asked_whether_it_may_still_leave",),
        "an order leaves seconds after the stop was pressed"),
    Bug("an order that has not left is looked for", "trading/desk_check.py", "if 0 < one.sent_ms <= settled and", "if one.sent_ms <= settled and",
        (f"{U}/trading/test_desk_check.py::test_what_has_not_left_yet_is_not_looked_for",), "it is given up, leaves all the same, and nobody knows it"),
    Bug("a process that lost the lease cancels", "trading/desk_door.py", "        if not (self.desk.office.leads() or self.desk.office.unbeaten()):\n",
        "        if False:\n", (f"{DOOR}test_who_lost_the_right_to_trade_takes_nothing_away",), "it takes away the stops that the other relies on"),
    Bug("the kill switch is not looked at after the commit", "trading/desk_door.py",
        "        scope = \"\" if one.order.reduce_only else desk.gate.killed(owner.user_id, owner.bot_id)\n", "        scope = \"\"\n",
        (f"{DOOR}test_a_kill_switch_that_goes_on_during_the_commit_stops_the_entry_and_not_the_exit",), "an order leaves after the stop was pressed"),
    Bug("the kill switch stops exits too", "trading/desk_door.py", "        scope = \"\" if one.order.reduce_only else desk.gate",
        "        scope = desk.gate",
        (f"{DOOR}test_a_kill_switch_that_goes_on_during_the_commit_stops_the_entry_and_not_the_exit",), "who stops trading cannot get out"),
    Bug("the kill switch goes by the reports", "trading/desks.py", "        for desk in list(self.open.values()):\n            if switch",
        "        for desk in [self.open[one.account_id] for one in self.worth() if not one.bot_id]:\n            if switch",
        (f"{DOOR}test_a_kill_switch_reaches_a_desk_that_could_tell_no_figures",), "the switch does nothing just when all else is broken"),
    Bug("a kill switch takes stops away", "trading/working.py",
        "        return [one for one in self.working.values() if not one.order.reduce_only and not one.foreign]\n",
        "        return [one for one in self.working.values() if not one.foreign]\n",
        (f"{DOOR}test_a_kill_switch_takes_away_what_adds_risk_and_leaves_what_protects",), "who stops trading loses the stops"),
    Bug("the share of the account is looked at outside the transaction", "bots/instances.py",
        "    async with house.database.writing() as session:\n        bot = await store.instance_of(session, asked.user.id, bot_id)\n"
        "        house.part(Bots).refuse_while_killed(bot.user_id, bot.id)\n",
        "    async with house.database.reading() as session:\n        bot = await store.instance_of(session, asked.user.id, bot_id)\n"
        "        await reserve(session, bot.user_id, bot.account_id, bot.id, bot.allocation)\n"
        "    async with house.database.writing() as session:\n        bot = await store.instance_of(session, asked.user.id, bot_id)\n"
        "        house.part(Bots).refuse_while_killed(bot.user_id, bot.id)\n",
        (f"{U}/bots/test_starts_hold_their_share.py::test_starts_at_once_never_have_more_than_the_account",), "bots started at once have more than all the money",
        (("bots/instances.py", "    await reserve(session, bot.user_id, bot.account_id, bot.id, bot.allocation)\n    now =", "    now ="),)),
    Bug("another person's bot is accepted", "bots/store.py", "select(Bot).where(Bot.user_id == user_id, Bot.id == bot_id, Bot.origin",
        "select(Bot).where(Bot.id == bot_id, Bot.origin", (f"{U}/bots/test_bots_of_others.py::test_anothers_bot_and_a_deleted_one_look_missing",),
        "strangers stop and change one's bots"),
    Bug("another owner's order is cancelled", "trading/desk.py", "one is None or one.owner != owner.bot_id or one.foreign", "one is None or one.foreign",
        (f"{DOOR}test_a_cancel_that_is_confirmed_ends_the_order_for_its_owner_only",), "by hand one takes a bot's stop away"),
    Bug("a dead key is tried for ever", "bots/recovery.py", "    Kind.KEY: Backoff(1_000, 4_000, tries=2),", "    Kind.KEY: Backoff(1_000, 4_000),",
        (f"{U}/bots/test_recovery.py::test_how_often_it_is_tried_again",), "the exchange shuts the address out for everybody"),
    Bug("the refresh token is not exchanged", "identity/sessions.py", ".values(refresh_hash=hashed(fresh), expires_at=expires", ".values(expires_at=expires",
        (f"{APP}accounts.py::test_a_refresh_token_is_good_once_and_the_old_access_goes_on",), "a stolen token is good for a month"),
    Bug("a code of the second factor is good twice", "identity/second_factor.py", "User.id == user.id, User.totp_step < step)", "User.id == user.id)",
        (f"{APP}second_factor.py::test_a_code_is_good_once_whatever_the_challenge",), "who looks over a shoulder signs in too"),
    Bug("X-Forwarded-For is believed", "platform/origin.py", "forwarded(connection.headers.getlist(\"x-forwarded-for\"), hops) if hops else None",
        "forwarded(connection.headers.getlist(\"x-forwarded-for\"), hops or 1)", (f"{ORIGIN}test_without_a_trusted_proxy_only_the_peer_counts",),
        "nobody can be locked out, and the audit names whom the thief wants"),
)

BUGS: tuple[Bug, ...] = (*SENDING, *EVIDENCE_BUGS, *PROTECTING, *BOOKS, *RIGHTS)
