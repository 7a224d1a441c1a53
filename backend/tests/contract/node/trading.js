// Orders of every kind, and what is left of them.
'use strict';
const { assert, near, productType, BTC, MONEY, ORDER } = require('./venue.js');

const limit = { ...ORDER, side: 'buy', orderType: 'limit', force: 'gtc', size: '0.01' };
const market = { ...ORDER, side: 'buy', orderType: 'market', size: '0.01' };

async function open(day) {
  return ((await day.ask('getFuturesOpenOrders', BTC)).entrustedList || []).map((one) => one.orderId);
}

async function plans(day, planType) {
  return ((await day.ask('getFuturesPlanOrders', { ...BTC, planType })).entrustedList || []).map((one) => one.orderId);
}

async function state(day, orderId) {
  return (await day.ask('getFuturesOrder', { ...BTC, orderId })).state;
}

async function a_limit_order_rests_and_fills(day) {
  const { orderId } = await day.ask('futuresSubmitOrder', { ...limit, price: '59990', clientOid: 'limit-1' });
  assert.deepEqual(await open(day), [orderId]);
  assert.equal((await day.ask('getFuturesOrder', { ...BTC, clientOid: 'limit-1' })).orderId, orderId);
  await day.moves(59_980, 60_000);
  assert.deepEqual([await state(day, orderId), await open(day)], ['filled', []]);
  const [fill] = (await day.ask('getFuturesFills', { ...BTC, orderId })).fillList;
  assert.deepEqual([fill.price, fill.baseVolume, fill.tradeScope], ['59990', '0.01', 'maker']);
}

async function a_market_order_fills_at_once(day) {
  const { orderId } = await day.ask('futuresSubmitOrder', { ...market, size: '0.02' });
  const order = await day.ask('getFuturesOrder', { ...BTC, orderId });
  assert.deepEqual([order.state, Number(order.baseVolume)], ['filled', 0.02]);
  const [held] = await day.held();
  assert.deepEqual([held.holdSide, Number(held.total)], ['long', 0.03]);
}

async function a_post_only_order_never_takes(day) {
  const crossing = await day.ask('futuresSubmitOrder', { ...limit, price: '61000', force: 'post_only' });
  assert.equal(await state(day, crossing.orderId), 'canceled');
  const resting = await day.ask('futuresSubmitOrder', { ...limit, price: '59000', force: 'post_only' });
  assert.deepEqual(await open(day), [resting.orderId]);
  await day.ask('futuresCancelOrder', { ...BTC, orderId: resting.orderId });
  assert.deepEqual(await open(day), []);
}

async function fok_and_ioc(day) {
  for (const force of ['fok', 'ioc']) {
    const { orderId } = await day.ask('futuresSubmitOrder', { ...limit, price: '59000', force });
    assert.equal(await state(day, orderId), 'canceled', force);
  }
}

async function an_order_is_modified(day) {
  const { orderId } = await day.ask('futuresSubmitOrder', { ...limit, price: '59000' });
  await day.ask('futuresModifyOrder', { ...BTC, orderId, newClientOid: 'changed-1', newSize: '0.02', newPrice: '58500' });
  const [changed] = (await day.ask('getFuturesOpenOrders', BTC)).entrustedList;
  assert.deepEqual([changed.clientOid, changed.size, changed.price], ['changed-1', '0.02', '58500']);
  await day.ask('futuresCancelOrder', { ...BTC, clientOid: 'changed-1' });
  await day.refused('22001', 'futuresCancelOrder', { ...BTC, clientOid: 'changed-1' });
}

async function many_at_once(day) {
  const { symbol, marginCoin, marginMode } = ORDER;
  const orderList = ['58000', '57000', '56000'].map((price, number) => ({
    side: 'buy', orderType: 'limit', force: 'gtc', size: '0.01', price, clientOid: `batch-${number}` }));
  const made = await day.ask('futuresBatchSubmitOrders', { symbol, productType, marginCoin, marginMode, orderList });
  assert.deepEqual([made.successList.length, made.failureList.length], [3, 0]);
  const gone = await day.ask('futuresBatchCancelOrders', { ...MONEY, orderIdList: [{ clientOid: 'batch-0' }, { clientOid: 'nobody' }] });
  assert.deepEqual([gone.successList.length, gone.failureList.length], [1, 1]);
  await day.ask('futuresCancelAllOrders', MONEY);
  assert.deepEqual(await open(day), []);
}

async function what_cannot_be_is_refused(day) {
  await day.refused('40762', 'futuresSubmitOrder', { ...market, size: '100' });
  const known = { ...limit, price: '50000', clientOid: 'twice' };
  await day.ask('futuresSubmitOrder', known);
  await day.refused('45034', 'futuresSubmitOrder', known);
  await day.ask('futuresCancelOrder', { ...BTC, clientOid: 'twice' });
  await day.refused('40034', 'getFuturesTicker', { symbol: 'NOPEUSDT', productType });
}

async function stop_and_target_of_a_position(day) {
  const common = { ...MONEY, holdSide: 'buy', size: '0.01', triggerType: 'fill_price' };
  const stop = await day.ask('futuresSubmitTPSLOrder', { ...common, planType: 'loss_plan', triggerPrice: '58000', clientOid: 'stop-1' });
  const target = await day.ask('futuresSubmitTPSLOrder', { ...common, planType: 'profit_plan', triggerPrice: '63000' });
  assert.deepEqual((await plans(day, 'profit_loss')).sort(), [stop.orderId, target.orderId].sort());
  await day.ask('futuresModifyTPSLPOrder', { ...MONEY, orderId: stop.orderId, triggerPrice: '59500', size: '0.01' });
  await day.moves(59_400, 60_000);
  const past = (await day.ask('getFuturesHistoricPlanOrders', { ...BTC, planType: 'profit_loss' })).entrustedList;
  assert.equal(past.find((one) => one.orderId === stop.orderId).planStatus, 'executed');
  near((await day.held())[0].total, 0.02, 'what is left');
  await day.ask('futuresCancelPlanOrder', { ...MONEY, planType: 'profit_plan', orderIdList: [{ orderId: target.orderId }] });
  assert.deepEqual(await plans(day, 'profit_loss'), []);
}

async function trigger_orders(day) {
  const plan = { ...ORDER, planType: 'normal_plan', size: '0.01', triggerPrice: '60500', triggerType: 'fill_price', side: 'buy', orderType: 'market' };
  const { orderId } = await day.ask('futuresSubmitPlanOrder', plan);
  await day.ask('futuresModifyPlanOrder', { ...BTC, planType: 'normal_plan', orderId, newTriggerPrice: '60400', newSize: '0.02', newTriggerType: 'fill_price' });
  assert.deepEqual(await plans(day, 'normal_plan'), [orderId]);
  await day.moves(60_420, 60_000);
  near((await day.held())[0].total, 0.04, 'after the trigger');
  const [child] = await day.ask('getFuturesTriggerSubOrder', { planType: 'normal_plan', planOrderId: orderId, productType });
  assert.equal(await state(day, child.orderId), 'filled');
}

async function a_trailing_order_follows(day) {
  const { orderId } = await day.ask('futuresSubmitPlanOrder', { ...ORDER, planType: 'track_plan', size: '0.01', callbackRatio: '1', price: '',
    triggerPrice: '60600', triggerType: 'fill_price', side: 'sell', orderType: 'market', reduceOnly: 'YES' });
  await day.moves(60_650, 61_300);
  assert.deepEqual(await plans(day, 'track_plan'), [orderId]);
  await day.moves(60_600, 60_000);
  assert.deepEqual(await plans(day, 'track_plan'), []);
  near((await day.held())[0].total, 0.03, 'after the trail');
}

async function all_is_closed(day) {
  const closed = await day.ask('futuresFlashClosePositions', BTC);
  assert.equal(closed.successList.length, 1);
  assert.deepEqual(await day.held(), []);
}

module.exports = [a_limit_order_rests_and_fills, a_market_order_fills_at_once, a_post_only_order_never_takes, fok_and_ioc, an_order_is_modified,
  many_at_once, what_cannot_be_is_refused, stop_and_target_of_a_position, trigger_orders, a_trailing_order_follows, all_is_closed];
