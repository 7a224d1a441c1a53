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
        async with scene(f/"s", fk, sys.argv[1], f/"template.db") as sc:
            await sc.exchange.goes()
            for k in range(2):
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
            kills=[]
            for _ in range(45):
                if sc.exchange.stops.bared: break
                kills.append(sc.exchange.clock.now_ms()); await sc.kill(); await sc.begins(); await sc.exchange.goes(5)
            await sc.exchange.stands(); await asyncio.sleep(1)
            b=sc.exchange.stops.bared
            print("BARED", b and b[0][:90], sc.exchange.clock.now_ms(), kills[-4:])
            if b:
                name=b[0].split()[0]; m=int(b[0].split("market ")[1][0]); bot={"anna0":"anna0","ben1":"ben0","anna1":"anna1"}[name+str(m)]
                for r in sc.judge.rows("select id,role,side,quantity,filled,status,reason,sent_ms,updated_ms,trigger,price from orders where bot_id=? order by id desc limit 40",bot)[::-1]: print(r)
                for f in sc.judge.accounts[name].member.fills[-30:]:
                    if f.m==m: print(f.time_ms,f.client_oid,f.side,f.lots,f.price,"held",f.held)
                for p in list(sc.judge.accounts[name].member.plans.values())[-12:]:
                    if p.m==m: print(p.client_oid,p.order_id,p.side,p.lots,p.trigger,p.status,p.reason,p.created_ms,p.updated_ms)
asyncio.run(main())
