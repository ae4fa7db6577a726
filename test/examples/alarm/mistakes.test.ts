import { expect, it } from 'vitest'
import { readdirSync } from 'node:fs'
import { runExample } from '../run-example.js'
import { freshFolder } from './pipeline.js'

const nowhere = ['--brokers', '127.0.0.1:1']

it.each([
  [
    'no command',
    [],
    'expected access, detect, alert, repartition, converge, notice, search, workload, verify; got nothing',
  ],
  ['an option of another service', ['detect', '--csv', 'some.csv', ...nowhere], 'expected options of detect: '],
  ['a file that is none', ['access', '--csv', 'none.csv', ...nowhere], "no such file or directory, open 'none.csv'"],
  ['a port that there cannot be', ['access', '--http', '99999', ...nowhere], 'expected a port'],
  [
    'a workload of no hosts',
    ['workload', 'w2', '--hosts', 'many'],
    'expected --hosts with a whole number from 1; got many',
  ],
  ['a database of another kind', ['alert', '--db', 'oracle://x', ...nowhere], 'expected --db as mysql://'],
  [
    'a database that is not there',
    ['alert', '--db', 'mysql://ada:secret@127.0.0.1:1/alarm', ...nowhere],
    'the database alarm at 127.0.0.1:1 cannot be opened',
  ],
])('%s is told before anything is done', async (_what, args, said) => {
  const folder = freshFolder()
  const needed = args.length === 0 || args[0] === 'workload' ? [] : ['--data-dir', folder]
  const { code, output } = await runExample('alarm/main.ts', {
    args: [...args, ...needed],
    env: { TIDEMARK_LOG: 'silent' },
  })
  expect([code, output]).toEqual([1, expect.stringContaining(said) as string])
  expect(output).not.toContain('secret')
  expect(readdirSync(folder)).toEqual([])
})

it('the demo takes a database only beside a Kafka that outlives it', async () => {
  const folder = freshFolder()
  const args = ['--db', 'mysql://ada:secret@127.0.0.1:1/alarm', '--data-dir', folder]
  const { code, output } = await runExample('alarm/demo.ts', { args })
  expect([code, output]).toEqual([1, expect.stringContaining('expected --brokers beside --db') as string])
  expect(readdirSync(folder)).toEqual([])
})

it('an address in the environment that is none is told by the service that needs it', async () => {
  const { services } = await import('../../../examples/alarm/services.js')
  process.env['ALARM_ELASTIC'] = 'elasticsearch:9200'
  try {
    expect(() => services.search({} as never)).toThrow(
      'expected ALARM_ELASTIC with an address, as http://host:port/path',
    )
  } finally {
    delete process.env['ALARM_ELASTIC']
  }
})
