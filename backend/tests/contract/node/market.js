// What everybody may read, and the terms of the account.
'use strict';
const { assert, near, productType, BTC, MONEY } = require('./venue.js');

async function the_clock(day) {
  assert.ok(Math.abs((await day.ask('getServerTime')).serverTime - Date.now()) < 5_000);
}

async function markets(day) {
  const listed = await day.ask('getFuturesContractConfig', { productType });
  assert.equal(listed.length, 5);
  const [one] = await day.ask('getFuturesContractConfig', BTC);
  assert.deepEqual([one.symbol, one.minTradeNum, one.pricePlace, one.volumePlace, one.symbolStatus], ['BTCUSDT', '0.001', '1', '3', 'normal']);
  assert.ok((await day.ask('getFuturesPositionTier', BTC)).length >= 3);
}

async function prices(day) {
  const [ticker] = await day.ask('getFuturesTicker', BTC);
  assert.ok(Number(ticker.bidPr) < Number(ticker.askPr));
  assert.equal((await day.ask('getFuturesAllTickers', { productType })).length, 5);
  const [price] = await day.ask('getFuturesSymbolPrice', BTC);
  assert.equal(price.price, ticker.lastPr);
  const book = await day.ask('getFuturesMergeDepth', { ...BTC, limit: '15' });
  assert.equal(book.bids.length, 15);
  assert.equal(String(book.asks[0][0]), ticker.askPr);
  assert.ok((await day.ask('getFuturesOpenInterest', BTC)).openInterestList.length);
}

async function candles(day) {
  const asked = { ...BTC, granularity: '1m', limit: '20' };
  const rows = await day.ask('getFuturesCandles', asked);
  assert.equal(rows.length, 20);
  for (const [before, after] of rows.slice(1).map((row, number) => [rows[number], row])) assert.equal(after[0] - before[0], 60_000);
  for (const name of ['getFuturesHistoricCandles', 'getFuturesHistoricIndexPriceCandles', 'getFuturesHistoricMarkPriceCandles']) {
    assert.ok((await day.ask(name, asked)).length >= 10, name);
  }
}

async function public_trades(day) {
  const recent = await day.ask('getFuturesRecentTrades', { ...BTC, limit: '10' });
  assert.equal(recent.length, 10);
  assert.ok((await day.ask('getFuturesHistoricTrades', { ...BTC, limit: '10', idLessThan: recent[0].tradeId })).length);
}

async function funding_rates(day) {
  assert.ok((await day.ask('getFuturesHistoricFundingRates', { ...BTC, pageSize: '5' })).length >= 1);
  assert.ok((await day.ask('getFuturesCurrentFundingRate', BTC)).length);
  assert.ok((await day.ask('getFuturesNextFundingTime', BTC))[0].nextFundingTime > Date.now());
}

async function balance(day) {
  const one = await day.ask('getFuturesAccountAsset', MONEY);
  assert.deepEqual([one.marginCoin, one.posMode, Number(one.accountEquity)], ['USDT', 'one_way_mode', 10_000]);
  assert.equal((await day.ask('getFuturesAccountAssets', { productType })).length, 1);
}

async function leverage_and_modes(day) {
  await day.ask('setFuturesLeverage', { ...MONEY, leverage: '7' });
  assert.equal(String((await day.ask('getFuturesAccountAsset', MONEY)).crossedMarginLeverage), '7');
  for (const marginMode of ['isolated', 'crossed']) {
    await day.ask('setFuturesMarginMode', { ...MONEY, marginMode });
    assert.equal((await day.ask('getFuturesAccountAsset', MONEY)).marginMode, marginMode);
  }
  for (const posMode of ['hedge_mode', 'one_way_mode']) {
    await day.ask('setFuturesPositionMode', { productType, posMode });
    assert.equal((await day.ask('getFuturesAccountAsset', MONEY)).posMode, posMode);
  }
  await day.refused('45045', 'setFuturesLeverage', { ...MONEY, leverage: '500' });
}

async function what_can_be_opened(day) {
  const most = await day.ask('getFuturesOpenCount', { ...MONEY, openAmount: '1000', openPrice: '60000', leverage: '7' });
  near(most.size, '0.116', 'open count');
}

module.exports = [the_clock, markets, prices, candles, public_trades, funding_rates, balance, leverage_and_modes, what_can_be_opened];
