import { openStore } from '../../../examples/alarm/store/store.js'
import { insertNew } from 'tidemark/sql'

/** Replaces all rows by the next generation's, one transaction each, until killed; says so after the first. */
const [path = ''] = process.argv.slice(2)
const store = await openStore(path)
for (let generation = 0; ; generation++) {
  const rows = Array.from({ length: 2_000 }, (_, ts) => ({ series: 's', ts, value: String(generation) }))
  await store.db.transaction().execute(async (tx) => {
    await tx.deleteFrom('metric_point').execute()
    await insertNew(tx, 'metric_point', rows)
  })
  if (generation === 3) process.stdout.write('writing\n')
}
