// What the streams tell, beside what REST reads at the same moment.
'use strict';
const { assert, near, productType, BTC, MONEY, ORDER } = require('./venue.js');

async function the_public_channels_tell(day) {
  const { public: stream } = day.streams;
  await stream.follow(productType, ['ticker', 'trade', 'candle1m', 'books', 'books1', 'books5', 'books15'], 'BTCUSDT');
  await stream.until('books15', (one) => one.bids.length === 15, 'a first book');
  await stream.until('ticker', (one) => Boolean(one.lastPr), 'a first ticker');
  await day.moves(60_250);
  const ticker = await stream.until('ticker', (one) => one.lastPr === '60250', 'at 60,250');
  const [read] = await day.ask('getFuturesTicker', BTC);
  for (const name of ['lastPr', 'bidPr', 'askPr', 'high24h', 'low24h', 'markPrice', 'indexPrice']) assert.equal(ticker[name], read[name], name);
  const book = await stream.until('books5', (one) => one.asks[0][0] === read.askPr, 'the book at 60,250');
  assert.deepEqual(book.bids[0], (await day.ask('getFuturesMergeDepth', { ...BTC, limit: '5' })).bids[0].map(String));
  await stream.until('trade', (one) => one.price === '60250', 'a trade at 60,250');
  await stream.until('candle1m', (row) => row[4] === '60250', 'a bar at 60,250');
  await day.moves(60_000);
}

async function an_order_is_heard_on_every_channel(day) {
  const { private: stream } = day.streams;
  await stream.follow(productType, ['orders', 'positions', 'fill', 'orders-algo', 'account'], 'default');
  await stream.until('account', () => true, 'a first balance');
  const { orderId } = await day.ask('futuresSubmitOrder', { ...ORDER, side: 'buy', orderType: 'market', size: '0.02', clientOid: 'heard-1' });
  const order = await stream.until('orders', (one) => one.orderId === orderId && one.status === 'filled', 'filled');
  const read = await day.ask('getFuturesOrder', { ...BTC, orderId });
  assert.deepEqual([order.clientOid, order.side, order.size, Number(order.priceAvg)], [read.clientOid, read.side, read.size, Number(read.priceAvg)]);
  const fill = await stream.until('fill', (one) => one.orderId === orderId, 'its fill');
  const [bought] = (await day.ask('getFuturesFills', { ...BTC, orderId })).fillList;
  for (const name of ['tradeId', 'side', 'price', 'baseVolume', 'tradeScope', 'cTime']) assert.equal(fill[name], bought[name], name);
  const held = await stream.until('positions', (one) => Number(one.total) === 0.02, 'the position');
  const [position] = await day.held();
  assert.deepEqual([held.holdSide, Number(held.openPriceAvg)], [position.holdSide, Number(position.openPriceAvg)]);
  const { available, accountEquity } = await day.ask('getFuturesAccountAsset', MONEY);
  await stream.until('account', (one) => Math.abs(one.equity - accountEquity) < 1e-6 && Math.abs(one.available - available) < 1e-6, 'the money');
}

async function a_stop_is_heard(day) {
  const { private: stream } = day.streams;
  const { orderId } = await day.ask('futuresSubmitTPSLOrder', { ...MONEY, planType: 'loss_plan', triggerPrice: '59000', triggerType: 'fill_price', holdSide: 'buy', size: '0.02' });
  await stream.until('orders-algo', (one) => one.orderId === orderId && one.status === 'live', 'waiting');
  await day.moves(58_900);
  await stream.until('orders-algo', (one) => one.orderId === orderId && one.status === 'executed', 'executed');
  assert.deepEqual(await day.held(), []);
  await day.moves(60_000);
}

async function nothing_went_wrong_on_the_streams(day) {
  for (const stream of Object.values(day.streams)) assert.deepEqual(stream.heard.filter((news) => news.arg.channel === 'exception'), []);
  day.streams.public.client.unsubscribeTopic(productType, 'ticker', 'BTCUSDT');
}

module.exports = [the_public_channels_tell, an_order_is_heard_on_every_channel, a_stop_is_heard, nothing_went_wrong_on_the_streams];
