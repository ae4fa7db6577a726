import { expectSeeds } from './expect-seeds.js'

expectSeeds(151, 50)
