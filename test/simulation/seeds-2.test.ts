import { expectSeeds } from './expect-seeds.js'

expectSeeds(31, 30)
