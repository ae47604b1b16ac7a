"""Networks: layers as a table and one flat vector; names, start weights, masks, scaling, penalties, derivatives."""
