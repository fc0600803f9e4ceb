/* "It waits until the count is back at what it is at rest" */
/* REGION answers */
zap-touched: 1 1
zap-punched: 0 0
zap-again: 0 1
zap-pinned: 1 1
idle-touched: 1 1
idle-punched: 0 0
idle-again: 0 1
busy-punched: 0 1
busy-again: 0 1
unaware: safe
lease-poll: safe
idle-at-one: safe
zap-to-zero: BROKEN I5
counted-map: safe
refuse-busy: safe
busy-extent: safe
loses-it: 2
born: 5
token: explore entry.zapped-elsewhere lifetime=zap-to-zero
taken-in: page_put_range
marked-in: entries_mark
waits: 1
woken-at: 1 0
idle-woken-at: 1 0
mended: C-1
inherited: C-2
