// bitget-api's clients given another address and nothing else, and a list of what was done with them.
'use strict';
const assert = require('node:assert/strict');
const { RestClientV2, WebsocketClientV2 } = require('bitget-api');

const productType = 'USDT-FUTURES';
const BTC = { symbol: 'BTCUSDT', productType };
const MONEY = { ...BTC, marginCoin: 'USDT' };
const ORDER = { ...MONEY, marginMode: 'crossed' };
const PATIENCE_MS = 10_000;
const silent = { trace() {}, info() {}, error() {} };

class Day {
  constructor(told) {
    const key = { apiKey: told.key, apiSecret: told.secret, apiPass: told.passphrase };
    this.told = told;
    this.done = [];
    this.rest = new RestClientV2({ ...key, baseUrl: told.url });
    this.streams = { private: new Stream(told.ws + '/v2/ws/private', key), public: new Stream(told.ws + '/v2/ws/public', {}) };
  }

  // The data of an answer that was a success; the client throws when it was none.
  async ask(name, ...given) {
    const answer = await this.rest[name](...given);
    assert.equal(answer.code, '00000', JSON.stringify(answer));
    return answer.data;
  }

  // One thing of the day: it throws where the venue is not what the client expects.
  async step(act) {
    let failed = '';
    try {
      await act(this);
    } catch (wrong) {
      failed = wrong instanceof Error ? wrong.stack.split('\n').slice(0, 4).join(' ') : JSON.stringify(wrong.body || wrong);
    }
    this.done.push({ step: act.name, failed });
  }

  async market(told) {
    const answer = await fetch(this.told.url + '/_venue/play', { method: 'POST', body: JSON.stringify(told) });
    assert.equal(answer.status, 200);
  }

  moves(...prices) {
    return this.market({ symbol: 'BTCUSDT', prices: prices.map(String) });
  }

  async refused(code, name, ...given) {
    const no = await this.rest[name](...given).then(() => null, (wrong) => wrong);
    assert.ok(no && no.body, `${name} was not refused`);
    assert.equal(no.body.code, code, JSON.stringify(no.body));
  }

  async balance() {
    return Number((await this.ask('getFuturesAccountAsset', MONEY)).accountEquity);
  }

  async held() {
    return (await this.ask('getFuturesPosition', MONEY)) || [];
  }

  close() {
    for (const stream of Object.values(this.streams)) stream.client.closeAll(true);
  }
}

// A WebSocket client and what it heard; `until` waits for news of a channel of which something holds.
class Stream {
  constructor(wsUrl, key) {
    this.heard = [];
    this.waiting = new Set();
    this.client = new WebsocketClientV2({ ...key, wsUrl }, silent);
    this.client.on('update', (news) => this.note(news));
    this.client.on('response', (said) => said.event === 'subscribe' && this.note({ arg: { channel: 'subscribed' }, data: [said.arg] }));
    this.client.on('exception', (wrong) => this.note({ arg: { channel: 'exception' }, data: [wrong] }));
  }

  note(news) {
    this.heard.push(news);
    for (const look of this.waiting) look(news);
  }

  // Subscribed to all of them, by the venue's word.
  async follow(instType, channels, of) {
    for (const channel of channels) this.client.subscribeTopic(instType, channel, of);
    for (const channel of channels) await this.until('subscribed', (one) => one.channel === channel, `subscribed to ${channel}`);
  }

  until(channel, holds, about) {
    const matches = (news) => news.arg.channel === channel && (news.data || []).find((one) => holds(one, news));
    for (const news of this.heard) {
      const found = matches(news);
      if (found) return Promise.resolve(found);
    }
    return new Promise((resolve, reject) => {
      const late = setTimeout(() => {
        this.waiting.delete(look);
        reject(new Error(`${channel}: never ${about}; last ${JSON.stringify(this.heard.slice(-2))}`));
      }, PATIENCE_MS);
      const look = (news) => {
        const found = matches(news);
        if (!found) return;
        clearTimeout(late);
        this.waiting.delete(look);
        resolve(found);
      };
      this.waiting.add(look);
    });
  }
}

function near(got, wanted, about = '') {
  assert.ok(Math.abs(Number(got) - Number(wanted)) <= 1e-7 * Math.max(1, Math.abs(Number(wanted))), `${about} ${got}, wanted ${wanted}`);
}

module.exports = { Day, near, assert, productType, BTC, MONEY, ORDER };
