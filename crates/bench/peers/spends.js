// Measures a spend as a transaction with `pg`: lock the balance, check it, reduce it, insert a ledger entry.

import pg from 'pg'
import { measure, settings } from './load.js'

const { accounts, concurrency, database_url } = settings
const pool = new pg.Pool({ connectionString: database_url, max: concurrency, keepAlive: true })

await measure(async (number) => {
  const account = (number * 617) % accounts
  const client = await pool.connect()
  try {
    await client.query('begin')
    const { rows } = await client.query(
      'select balance from bench.peer_accounts where id = $1 for update',
      [account],
    )
    if (BigInt(rows[0].balance) < 1n) throw new Error('too few credits')
    await client.query('update bench.peer_accounts set balance = balance - $2 where id = $1', [account, 1])
    await client.query(
      'insert into bench.peer_ledger (account, delta, balance_after, kind) values ($1, $2, $3, $4)',
      [account, -1, (BigInt(rows[0].balance) - 1n).toString(), 'spend'],
    )
    await client.query('commit')
  } catch (error) {
    await client.query('rollback')
    throw error
  } finally {
    client.release()
  }
})
process.exit(0)
