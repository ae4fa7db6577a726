/** What each basic example prints, on every Kafka. */
export const basics: readonly (readonly [file: string, output: RegExp])[] = [
  [
    '01-send.ts',
    /^o-1 is stored: partition \d, offset \d+\no-2 is beside o-1: true\no-4 is not-stored: .*cents.*\nclosed\n$/,
  ],
  ['02-consume.ts', /^first handles o-1\nfirst handles o-2\nfirst stopped\nsecond handles o-3\nclosed\n$/],
  [
    '03-keys-in-parallel.ts',
    /^40 orders of 4 customers in 1 partition, at most [2-4] at once\n((ada|bob|cy|di): 0 1 2 3 4 5 6 7 8 9\n){4}$/,
  ],
  [
    '04-dead-letter.ts',
    new RegExp(
      [
        '^handled: o-1 o-5',
        'put aside: undecodable, .*: {"id":',
        'put aside: invalid, .*cents.*: {"id":"o-3","cents":-5}',
        'put aside: rejected, the customer does not exist: {"id":"o-4","cents":400}\n$',
      ].join('\n'),
    ),
  ],
  [
    '05-batches-into-a-database.ts',
    /^2500 received in batches of at most 500, 2500 rows\nall received again, 2500 rows\n$/,
  ],
  [
    '06-test-without-a-broker.ts',
    /^an answer was lost: stored once\nthe leader moved: .*\nall brokers silent: after 120 s the outcome is unknown\nthey answer again: .*\n$/,
  ],
  ['07-commit-by-hand.ts', /^first committed o-0 o-1\nfirst stopped\nsecond handled o-2 o-3\nsecond handled o-4\n$/],
  ['08-once-only.ts', /^6 orders came, 3 rows, invoices for o-1 o-2 o-3\n$/],
  [
    '09-redrive.ts',
    /^shipped: o-1 o-3\nwould go: 2, shipped: 2\nwent: 2, left: 0\nshipped: o-1 o-2 o-3 o-4\nwent by the same call once more: 0\n$/,
  ],
]
