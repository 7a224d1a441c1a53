import asyncio, sys, tempfile, time
from pathlib import Path
sys.path[:0]=[str(Path(__file__).parents[1]/p) for p in ("simulation","unit/venue","crash","oracle")]
from crash_scene import *
async def main():
    f=Path(tempfile.mkdtemp()); t=time.time()
    await migrated(f/"template.db"); print("migrated",time.time()-t); t=time.time()
    async with forker(f/"flog") as fk:
        print("loaded",time.time()-t)
        (f/"s").mkdir()
        async with scene(f/"s", fk, "1", f/"template.db") as sc:
            await sc.exchange.goes()
            for k in range(12):
                t=time.time()
                try: await sc.begins()
                except AssertionError:
                    import re
                    lg=(sc.folder/"log").read_text()
                    print(set(re.findall(r"\w+Error: [^']*", lg)))
                    for r in sc.judge.rows("select bot_id, body from bot_states where bot_id='anna1'"): print(r)
                    for r in sc.judge.rows("select b.id,b.exchange_id,order_id,o.role,b.side,b.quantity,b.price,b.time_ms from bookings b left join orders o on o.id=b.order_id where b.bot_id='anna1'"): print(r)
                    m=sc.judge.accounts["anna"].member
                    for x in m.fills:
                        if x.m==1: print(x.trade_id, x.client_oid, x.side, x.lots, x.price, x.time_ms)
                    raise
                print("ready",time.time()-t); t=time.time()
                await sc.exchange.goes(5); print("5 bars",time.time()-t, sc.orders, sc.fills)
                await sc.kill()
            await sc.begins(); t=time.time()
            await sc.exchange.goes(5)
            try:
                await sc.rests()
            except Exception as e: print("BROKEN", e)
            print("rest",time.time()-t, sc.orders, sc.fills, sc.exchange.stops.naked_s, sc.exchange.stops.bared)
            print((sc.folder/"log").read_text()[-3000:])
            print(sc.judge.rows("select bot_id,role,status,reason,count(*) from orders group by 1,2,3,4"))
            print(sc.judge.rows("select id,observed,reason from bots"))
asyncio.run(main())
