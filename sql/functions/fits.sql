-- Whether a label (null: the node has none of this name) is as is said of it: a text, number or truth value that it equals, or an object
-- of comparisons, all of which hold: equal, not_equal, at_least, at_most, above, below. The last four compare numbers; what is no number,
-- or is not there, fits none of them, and is not equal to anything. Takes no locks.
create or replace function howdah.fits(p_label jsonb, p_said jsonb) returns boolean
  language sql immutable parallel safe
  return not exists (
    select from jsonb_each(case jsonb_typeof(p_said) when 'object' then p_said else jsonb_build_object('equal', p_said) end) c(how, than)
    where not coalesce(case c.how
      when 'equal' then p_label = c.than
      when 'not_equal' then p_label is distinct from c.than
      when 'weight' then true
      else jsonb_typeof(p_label) = 'number' and case c.how
        when 'at_least' then p_label >= c.than
        when 'at_most' then p_label <= c.than
        when 'above' then p_label > c.than
        when 'below' then p_label < c.than
      end
    end, false)
  );
