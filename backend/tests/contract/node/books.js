// Two legs, funding, and the books of what was done.
'use strict';
const { assert, near, productType, BTC, MONEY, ORDER } = require('./venue.js');

const market = { ...ORDER, orderType: 'market' };

async function two_legs_are_opened_and_closed(day) {
  await day.ask('setFuturesPositionMode', { productType, posMode: 'hedge_mode' });
  await day.ask('futuresSubmitOrder', { ...market, side: 'buy', tradeSide: 'open', size: '0.03' });
  await day.ask('futuresSubmitOrder', { ...market, side: 'sell', tradeSide: 'open', size: '0.02' });
  const legs = Object.fromEntries((await day.held()).map((one) => [one.holdSide, Number(one.total)]));
  assert.deepEqual(legs, { long: 0.03, short: 0.02 });
  await day.ask('futuresSubmitPositionTPSL', { ...MONEY, holdSide: 'long', stopLossTriggerPrice: '58000', stopLossTriggerType: 'fill_price' });
  await day.ask('futuresSubmitOrder', { ...market, side: 'buy', tradeSide: 'close', size: '0.03' });
  assert.deepEqual((await day.held()).map((one) => one.holdSide), ['short']);
  await day.ask('futuresFlashClosePositions', { ...BTC, holdSide: 'short' });
  assert.deepEqual(await day.held(), []);
  await day.ask('setFuturesPositionMode', { productType, posMode: 'one_way_mode' });
}

async function a_position_is_reversed(day) {
  await day.ask('futuresSubmitOrder', { ...market, side: 'buy', size: '0.02' });
  await day.ask('futuresSubmitReversal', { ...MONEY, side: 'buy', size: '0.02' });
  const [held] = await day.held();
  assert.deepEqual([held.holdSide, Number(held.total)], ['short', 0.02]);
  await day.ask('futuresFlashClosePositions', BTC);
}

async function funding_is_paid(day) {
  await day.ask('futuresSubmitOrder', { ...market, side: 'buy', size: '0.05' });
  const before = await day.balance();
  await day.market({ fund: 10_000 });
  near(before - (await day.balance()), 60_000 * 0.05 * 0.0001, 'funding');
  const { bills } = await day.ask('getFuturesAccountBills', { productType, businessType: 'contract_settle_fee' });
  near(bills[0].amount, -0.3, 'its bill');
  await day.ask('futuresFlashClosePositions', BTC);
}

async function history_is_paged(day) {
  const first = await day.ask('getFuturesHistoricOrders', { ...BTC, limit: '5' });
  const next = await day.ask('getFuturesHistoricOrders', { ...BTC, limit: '5', idLessThan: first.endId });
  const ids = [...first.entrustedList, ...next.entrustedList].map((one) => one.orderId);
  assert.equal(new Set(ids).size, 10);
  assert.deepEqual(ids, [...ids].sort().reverse());
}

async function fills_add_up_to_orders(day) {
  const { fillList } = await day.ask('getFuturesFills', { ...BTC, limit: '100' });
  const { entrustedList } = await day.ask('getFuturesHistoricOrders', { ...BTC, limit: '100' });
  const filled = entrustedList.filter((one) => one.status === 'filled');
  assert.ok(filled.length >= 10);
  for (const order of filled) {
    const sum = fillList.filter((one) => one.orderId === order.orderId).reduce((all, one) => all + Number(one.baseVolume), 0);
    near(sum, order.baseVolume, `order ${order.orderId}`);
  }
  assert.equal((await day.ask('getFuturesHistoricOrderFills', { ...BTC, limit: '100' })).fillList.length, fillList.length);
}

async function bills_add_up_to_the_balance(day) {
  let older;
  let total = 0;
  for (;;) {
    const page = await day.ask('getFuturesAccountBills', { productType, limit: '50', ...(older ? { idLessThan: older } : {}) });
    for (const one of page.bills) total += Number(one.amount) + Number(one.fee);
    if (page.bills.length < 50) break;
    older = page.endId;
  }
  near(await day.balance(), total, 'sum of the bills');
}

async function past_positions_add_up(day) {
  const { list } = await day.ask('getFuturesHistoricPositions', { ...BTC });
  assert.ok(list.length >= 4);
  for (const one of list) {
    near(one.netProfit, ['pnl', 'totalFunding', 'openFee', 'closeFee'].reduce((all, name) => all + Number(one[name]), 0), 'net profit');
  }
}

module.exports = [two_legs_are_opened_and_closed, a_position_is_reversed, funding_is_paid, history_is_paged, fills_add_up_to_orders,
  bills_add_up_to_the_balance, past_positions_add_up];
