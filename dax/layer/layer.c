/* SPDX-License-Identifier: MIT */
/* The file layers that there are: each registers itself (DAX_LAYER). */
#include "dax/dax.h"

extern const struct dax_layer_ops *const __start_hf_layers[], *const __stop_hf_layers[];

const struct dax_layer_ops *dax_layer_nth(unsigned n)
{
	return n < (unsigned)(__stop_hf_layers - __start_hf_layers) ? __start_hf_layers[n] : NULL;
}

const struct dax_layer_ops *dax_layer_find(const char *name)
{
	const struct dax_layer_ops *ops;

	for (unsigned n = 0; (ops = dax_layer_nth(n)); n++)
		if (!strcmp(ops->name, name))
			return ops;
	return NULL;
}
